# uri and uri_file of msgbus_mongodb: where the database is.  A password is
# shown nowhere; what the driver can make nothing of, nginx refuses.

use lib "t/lib";
use Test::Nginx::Socket;
use Msgbus::Blocks;

repeat_each(1);    # most of it does not start

needs_mongodb();
plan tests => repeat_each() * (blocks() * 2 + 16);

my $file = "uri_file " . server_root() . "/html/uri;";

# a block of msgbus_mongodb with this in it
sub main { return "msgbus_mongodb main { $_[0] } msgbus_zone zone=bus:1m store=main;" }

sub main_file { return main($file) }

# the report of a database with this uri
sub shows { return '"uri":"' . quotemeta($_[0]) . '"' }

defaults(
    config => "location / { msgbus bus; } location = /up { msgbus_health bus; }",
);

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a uri as it is
--- http_config eval: ::main("uri mongodb://127.0.0.1:1/;")
--- request
GET /up?verbose=true
--- error_code: 503
--- response_body_like eval: ::shows("mongodb://127.0.0.1:1/")
--- no_error_log
[alert]




=== TEST 2: with a password
--- http_config eval: ::main('uri "mongodb://someone:pa%40ss@127.0.0.1:1/?authSource=admin";')
--- request
GET /up?verbose=true
--- error_code: 503
--- response_body_like eval: ::shows('mongodb://someone:***@127.0.0.1:1/?authSource=admin')
--- no_error_log
pa%40ss
pa@ss




=== TEST 3: with a name and no password
--- http_config eval: ::main('uri "mongodb://CN=x@127.0.0.1:1/?authMechanism=MONGODB-X509&tls=true";')
--- request
GET /up?verbose=true
--- error_code: 503
--- response_body_like eval: ::shows('mongodb://CN=x@127.0.0.1:1/?authMechanism=MONGODB-X509&tls=true')
--- no_error_log
[alert]




=== TEST 4: other passwords in it
--- http_config eval: ::main('uri "mongodb://a:1234@127.0.0.1:1/?tlsCertificateKeyFilePassword=s3cret&authMechanismProperties=A:s3cret";')
--- request
GET /up?verbose=true
--- error_code: 503
--- response_body_like eval: ::shows('mongodb://a:***@127.0.0.1:1/?tlsCertificateKeyFilePassword=***&authMechanismProperties=***')
--- no_error_log
s3cret
[alert]




=== TEST 5: several servers
--- http_config eval: ::main('uri "mongodb://127.0.0.1:1,127.0.0.1:2/?replicaSet=rs&w=2";')
--- request
GET /up?verbose=true
--- error_code: 503
--- response_body_like eval: ::shows('mongodb://127.0.0.1:1,127.0.0.1:2/?replicaSet=rs&w=2')
--- no_error_log
[alert]




=== TEST 6: from a file
--- http_config eval: ::main_file()
--- user_files
>>> uri
mongodb://someone:s3cret@127.0.0.1:1/
what stands below does not matter
--- request
GET /up?verbose=true
--- error_code: 503
--- response_body_like eval: ::shows('mongodb://someone:***@127.0.0.1:1/')
--- no_error_log
s3cret
[alert]




=== TEST 7: none
--- http_config eval: ::main('')
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus_mongodb "main" must have "uri" or "uri_file"/




=== TEST 8: an empty one
--- http_config eval: ::main('uri "";')
--- must_die
--- error_log eval: qr/\[emerg\].*msgbus_mongodb "main" must have "uri" or "uri_file"/




=== TEST 9: two
--- http_config eval: ::main('uri mongodb://127.0.0.1:1/; uri mongodb://127.0.0.1:2/;')
--- must_die
--- error_log eval: qr/\[emerg\].*"uri" of msgbus_mongodb is duplicate/




=== TEST 10: one beside a file
--- http_config eval: ::main("uri mongodb://127.0.0.1:1/; uri_file nowhere;")
--- must_die
--- error_log eval: qr/\[emerg\].*"uri_file" of msgbus_mongodb is duplicate/




=== TEST 11: one that is none
--- http_config eval: ::main("uri http://127.0.0.1/;")
--- must_die
--- error_log eval: qr/\[emerg\].*invalid URI "http:\/\/127\.0\.0\.1\/" of msgbus_mongodb "main": /




=== TEST 12: an option that is wrong
--- http_config eval: ::main('uri "mongodb://127.0.0.1:1/?tls=perhaps";')
--- must_die
--- error_log eval: qr/\[emerg\].*invalid URI "mongodb:\/\/127\.0\.0\.1:1\/\?tls=perhaps"/




=== TEST 13: a wrong one, with a password that should have been escaped
--- http_config eval: ::main('uri "mongodb://someone:s3@cr/et@127.0.0.1:1/";')
--- must_die
--- error_log eval: qr/\[emerg\].*invalid URI "mongodb:\/\/someone:\*\*\*\@127\.0\.0\.1:1\/" of msgbus_mongodb "main": /
--- no_error_log
s3@cr




=== TEST 14: a wrong one, with a short password, which the driver may quote
--- http_config eval: ::main('uri "mongodb://someone:%zz@127.0.0.1:1/";')
--- must_die
--- error_log eval: qr/\[emerg\].*invalid URI "mongodb:\/\/someone:\*\*\*\@127\.0\.0\.1:1\/" of msgbus_mongodb "main": it is no connection string/
--- no_error_log
%zz




=== TEST 15: a write concern that acknowledges nothing
--- http_config eval: ::main('uri "mongodb://127.0.0.1:1/?w=0";')
--- must_die
--- error_log eval: qr/\[emerg\].*invalid URI ".*\?w=0" of msgbus_mongodb "main": its write concern has nothing acknowledged/




=== TEST 16: a file that is not there
--- http_config eval: ::main("uri_file /nowhere/uri;")
--- must_die
--- error_log eval: qr/\[emerg\].*"\/nowhere\/uri" failed/




=== TEST 17: a file with nothing in it
--- http_config eval: ::main("uri_file /dev/null;")
--- must_die
--- error_log eval: qr/\[emerg\].*"\/dev\/null" has no URI in its first line/




=== TEST 18: a file without an end
--- http_config eval: ::main("uri_file /dev/zero;")
--- must_die
--- error_log eval: qr/\[emerg\].*"\/dev\/zero" has no URI in its first line/




=== TEST 18: an option that the driver does not know: plain text, for a letter
--- http_config eval: ::main('uri "mongodb://127.0.0.1:1/?tsl=true";')
--- must_die
--- error_log eval: qr/\[emerg\].*invalid URI "mongodb:\/\/127\.0\.0\.1:1\/\?tsl=true" of msgbus_mongodb "main": Unsupported URI option "tsl"/




=== TEST 19: one with a password, which is not quoted
--- http_config eval: ::main('uri "mongodb://someone:s3cret@127.0.0.1:1/?tls=true&TlsCaFiles=/ca.pem";')
--- must_die
--- error_log eval: qr/\[emerg\].*invalid URI ".*" of msgbus_mongodb "main": the driver makes nothing of its option "TlsCaFiles"/
--- no_error_log
s3cret




=== TEST 20: one in a file
--- http_config eval: ::main_file()
--- user_files
>>> uri
mongodb://127.0.0.1:1/?j=true
--- must_die
--- error_log eval: qr/\[emerg\].*: Unsupported URI option "j"/




=== TEST 21: an option twice, of which one is not heeded
--- http_config eval: ::main('uri "mongodb://a:s3cret@127.0.0.1:1/?w=2&appname=bus&w=1";')
--- must_die
--- error_log eval: qr/\[emerg\].*: the driver makes nothing of its option "w"/
--- no_error_log
s3cret




=== TEST 22: an option without a value
--- http_config eval: ::main('uri "mongodb://a:s3cret@127.0.0.1:1/?replicaSet=rs0&tls=";')
--- must_die
--- error_log eval: qr/\[emerg\].*: the driver makes nothing of its option "tls"/
--- no_error_log
s3cret




=== TEST 23: a value that is not known, of an option that is
--- http_config eval: ::main('uri "mongodb://a:s3cret@127.0.0.1:1/?compressors=zlib,none";')
--- must_die
--- error_log eval: qr/\[emerg\].*: the driver makes nothing of one of its options/
--- no_error_log
s3cret




=== TEST 24: an old way to say something, which is heeded
--- http_config eval: ::main('uri "mongodb://127.0.0.1:1/?ssl=false&retryWrites=t";')
--- request
GET /up?verbose=true
--- error_code: 503
--- response_body_like eval: ::shows('mongodb://127.0.0.1:1/?ssl=false&retryWrites=t')
--- no_error_log
[alert]
