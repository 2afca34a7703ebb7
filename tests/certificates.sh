#!/bin/sh
# tests/certificates.sh FOLDER: an authority (ca.crt) and a server's certificate by it (server.crt, server.key) for
# 127.0.0.1 and localhost, of two days.
set -eu
cd "$1"
key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
echo 'subjectAltName=IP:127.0.0.1,DNS:localhost' > names
# shellcheck disable=SC2086  # the key's words
{
    openssl req -x509 $key -keyout ca.key -out ca.crt -subj /CN=authority -days 2
    openssl req $key -keyout server.key -out server.csr -subj /CN=server
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile names
} 2> openssl.log || { cat openssl.log >&2; exit 1; }
