// The user of a JSON Web Token (HS256), for a configuration with
//
//     js_import jwt from /etc/nginx/jwt.js;
//     js_var $jwt_key "...";
//     js_set $user jwt.user;
//
// $user is the "sub" of the token, and empty where the token is not good: not
// signed with the key, expired, or without a "sub" that is a level of a channel.
// A token comes in the header Authorization, or in the cookie "token".

const crypto = require('crypto');

function same(a, b) {
    let differ = a.length ^ b.length;

    for (let i = 0; i < a.length && i < b.length; i++) {
        differ |= a.charCodeAt(i) ^ b.charCodeAt(i);
    }

    return differ === 0;
}

function decode(part) {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
}

function user(r) {
    try {
        const header = r.headersIn.Authorization || '';
        const token = header.indexOf('Bearer ') === 0
                      ? header.slice(7) : r.variables.cookie_token || '';
        const parts = token.split('.');
        const key = r.variables.jwt_key;

        if (parts.length !== 3 || !key || decode(parts[0]).alg !== 'HS256') {
            return '';
        }

        const mac = crypto.createHmac('sha256', key)
                          .update(parts[0] + '.' + parts[1])
                          .digest('base64url');

        if (!same(mac, parts[2])) {
            return '';
        }

        const claims = decode(parts[1]);

        if (typeof claims.exp !== 'number' || claims.exp * 1000 < Date.now()) {
            return '';
        }

        return /^[A-Za-z0-9_-]{1,64}$/.test(claims.sub) ? claims.sub : '';

    } catch (e) {
        return '';
    }
}

export default { user };
