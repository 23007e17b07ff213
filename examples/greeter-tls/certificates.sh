#!/bin/sh
# Makes an authority, and certificates of a server and a client by it:
#   ./certificates.sh            all three, the authority only if there is none yet
#   ./certificates.sh server     a new one of the server; or client
set -eu
umask 077
mkdir -p certificates
cd certificates
curve='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'

[ -f authority.key ] || openssl req -x509 $curve -days 365 -subj '/CN=Greeter authority' \
  -keyout authority.key -out authority.pem 2>/dev/null

issue() { # <name> <extension>...
  name=$1
  shift
  openssl req -x509 -CA authority.pem -CAkey authority.key $curve -days 30 -subj "/CN=$name" \
    -addext basicConstraints=CA:FALSE "$@" -keyout "$name.key" -out "$name.crt" 2>/dev/null
  # Key and certificate in one file, which is there as a whole or not at all.
  cat "$name.key" "$name.crt" >"$name.pem.new"
  rm "$name.key" "$name.crt"
  mv "$name.pem.new" "$name.pem"
  echo "certificates/$name.pem: $(openssl x509 -in "$name.pem" -noout -serial)"
}

case ${1-all} in all | server)
  issue server -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -addext extendedKeyUsage=serverAuth
  ;;
esac
case ${1-all} in all | client)
  issue client -addext extendedKeyUsage=clientAuth
  ;;
esac
