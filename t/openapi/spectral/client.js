// Checks descriptions of an API by the rules of ruleset.yaml:
//
//     node client.js lint FILE...

const { join } = require('node:path');

process.argv.push('--fail-severity', 'hint', '--ruleset',
                  join(__dirname, 'ruleset.yaml'));

require('@stoplight/spectral-cli/dist/index.js');
