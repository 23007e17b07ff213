#!/usr/bin/env python3
"""A peer that is not Java, for the default format: four bytes of big-endian length, then the payload.

  peer.py HOST PORT   checks the echo server that listens there, byte for byte
  peer.py --serve     is an echo server itself, on a port of 127.0.0.1 that it prints, until SIGTERM

With --tls DIRECTORY it does so over TLS, with the certificates there; with --mutual each side demands
one of the other.
"""

import argparse
import random
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time

TIMEOUT = 30  # seconds, for each wait
MAX_FRAME_LENGTH = 8 * 1024 * 1024


def frame(payload):
    return struct.pack(">I", len(payload)) + payload


def receive_exactly(sock, length):
    """Receives so many bytes; fewer if the stream ends."""
    received = bytearray()
    while len(received) < length:
        piece = sock.recv(min(length - len(received), 1 << 16))
        if not piece:
            break
        received += piece
    return bytes(received)


def receive(sock):
    """Receives a frame's payload, or None if the stream ended between two frames."""
    header = receive_exactly(sock, 4)
    if not header:
        return None
    if len(header) < 4:
        raise EOFError(f"stream ended after {len(header)} of 4 header bytes")
    (length,) = struct.unpack(">I", header)
    if length > MAX_FRAME_LENGTH:
        raise ValueError(f"frame length {length} exceeds {MAX_FRAME_LENGTH}")
    payload = receive_exactly(sock, length)
    if len(payload) < length:
        raise EOFError(f"stream ended after {len(payload)} of {length} payload bytes")
    return payload


def expect(seen, wanted):
    """Long bytes are shown in part."""
    if seen != wanted:
        raise AssertionError(f"{repr(seen)[:100]} where {repr(wanted)[:100]} should be")


def echo(sock, payloads):
    """Sends from a thread of its own, since long replies must be read meanwhile."""
    if isinstance(sock, ssl.SSLSocket):
        echo_some_by_some(sock, payloads)
        return
    failed = []

    def send():
        try:
            sock.sendall(b"".join(map(frame, payloads)))
        except OSError as e:
            failed.append(e)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    for payload in payloads:
        expect(receive(sock), payload)
    sender.join(TIMEOUT)
    expect(failed, [])


def echo_some_by_some(sock, payloads):
    """A TLS socket takes one thread at a time; so many short frames wait in buffers, if need be."""
    for i in range(0, len(payloads), 200):
        some = payloads[i : i + 200]
        sock.sendall(b"".join(map(frame, some)))
        for payload in some:
            expect(receive(sock), payload)


def expect_closed(sock):
    try:
        expect(sock.recv(1), b"")
    except ConnectionResetError:
        pass


# The checks. Each opens its own connections, and says by an exception that it failed.


def one_frame(connect):
    with connect() as sock:
        sock.sendall(b"\x00\x00\x00\x05hello")
        expect(receive_exactly(sock, 9), b"\x00\x00\x00\x05hello")


def empty_frame(connect):
    with connect() as sock:
        sock.sendall(b"\x00\x00\x00\x00")
        expect(receive_exactly(sock, 4), b"\x00\x00\x00\x00")


def frames_of_all_sizes(connect):
    with connect() as sock:
        for size in (1, 255, 256, 4095, 4096, 4097, 65535, 65536, 1 << 20, MAX_FRAME_LENGTH):
            echo(sock, [random.randbytes(size)])


def pipelined_frames(connect):
    with connect() as sock:
        echo(sock, [random.randbytes(i % 300) for i in range(10_000)])


def bytes_one_by_one(connect):
    payloads = [b"byte", b"", b"by byte" * 30]
    with connect() as sock:
        for byte in b"".join(map(frame, payloads)):
            sock.sendall(bytes([byte]))
        for payload in payloads:
            expect(receive(sock), payload)


def frame_in_two_parts(connect):
    payload = random.randbytes(100_000)
    wire = frame(payload)
    with connect() as sock:
        for cut in (1, 4, 5, 50_000, len(wire) - 1):
            sock.sendall(wire[:cut])
            # Nothing tells when the server has read the first part; it is right in any case.
            time.sleep(0.02)
            sock.sendall(wire[cut:])
            expect(receive(sock), payload)


def many_connections(connect):
    socks = [connect() for _ in range(200)]
    for i, sock in enumerate(socks):
        sock.sendall(frame(b"connection %d" % i))
    for i, sock in enumerate(socks):
        expect(receive(sock), b"connection %d" % i)
        sock.close()


def half_close(connect):
    payloads = [random.randbytes(i) for i in range(500)]
    with connect() as sock:
        sock.sendall(b"".join(map(frame, payloads)))
        sock.shutdown(socket.SHUT_WR)
        for payload in payloads:
            expect(receive(sock), payload)
        expect(receive(sock), None)


def too_long_announcement(connect):
    with connect() as sock:
        sock.sendall(frame(b"good") + struct.pack(">I", MAX_FRAME_LENGTH + 1))
        expect(receive(sock), b"good")
        expect_closed(sock)
    one_frame(connect)


def garbage(connect):
    with connect() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        expect_closed(sock)
    one_frame(connect)


def cut_frame(connect):
    with connect() as sock:
        sock.sendall(b"\x00\x00\x00\x09cut")
        sock.shutdown(socket.SHUT_WR)
        expect_closed(sock)
    one_frame(connect)


def close_notify(connect):
    with connect() as sock:
        echo(sock, [b"last"])
        with sock.unwrap() as plain:
            expect_closed(plain)


CHECKS = (
    one_frame,
    empty_frame,
    frames_of_all_sizes,
    pipelined_frames,
    bytes_one_by_one,
    frame_in_two_parts,
    many_connections,
    half_close,
    too_long_announcement,
    garbage,
    cut_frame,
)


# TLS has no end of one direction only.
TLS_CHECKS = tuple(each for each in CHECKS if each not in (half_close, cut_frame)) + (close_notify,)


def client_context(directory, authority="ours", certificate=None):
    """Trusts one authority, and expects a certificate for the name that it connects to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(f"{directory}/{authority}/authorities.pem")
    if certificate:
        load_certificate(context, f"{directory}/{certificate}/client")
    return context


def server_context(directory, mutual):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_certificate(context, f"{directory}/ours/server")
    if mutual:
        context.load_verify_locations(f"{directory}/ours/authorities.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def load_certificate(context, path):
    context.load_cert_chain(f"{path}.pem", f"{path}.key")


def refusals(connect, directory, mutual):
    """Returns the checks that whoever is not known is refused, by name."""
    own = "ours" if mutual else None

    def server_of_another_authority(_):
        expect_server_refused(connect, client_context(directory, "others", own), "localhost")

    def server_of_another_name(_):
        expect_server_refused(connect, client_context(directory, "ours", own), "example.org")

    def client_without_certificate(_):
        expect_client_refused(connect, client_context(directory))

    def client_of_another_authority(_):
        expect_client_refused(connect, client_context(directory, "ours", "others"))

    servers = (server_of_another_authority, server_of_another_name)
    clients = (client_without_certificate, client_of_another_authority)
    return servers + clients if mutual else servers


def expect_server_refused(connect, context, name):
    try:
        with context.wrap_socket(connect(), server_hostname=name):
            raise AssertionError("the server was not refused")
    except ssl.SSLCertVerificationError:
        pass


def expect_client_refused(connect, context):
    # With TLS 1.3 the client's side is there before the server has refused it.
    try:
        with context.wrap_socket(connect(), server_hostname="localhost") as sock:
            sock.sendall(frame(b"unknown"))
            sock.recv(1)
            raise AssertionError("the client was not refused")
    except (ssl.SSLError, ConnectionError):
        pass


def check(options):
    def connect():
        sock = socket.create_connection((options.host, options.port), TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    if not options.tls:
        return run(CHECKS, connect)
    context = client_context(options.tls, certificate="ours" if options.mutual else None)
    checks = TLS_CHECKS + refusals(connect, options.tls, options.mutual)
    return run(checks, lambda: context.wrap_socket(connect(), server_hostname="localhost"))


def run(checks, connect):
    failed = 0
    for each in checks:
        start = time.monotonic()
        try:
            each(connect)
            outcome = "ok"
        except Exception as e:
            failed += 1
            outcome = f"FAILED: {type(e).__name__}: {e}"
        print(f"{each.__name__}: {outcome} ({time.monotonic() - start:.2f} s)", flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        payload = receive(self.request)
        while payload is not None:
            self.request.sendall(frame(payload))
            payload = receive(self.request)


def serve(options):
    context = server_context(options.tls, options.mutual) if options.tls else None

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def get_request(self):
            sock, address = super().get_request()
            if context:
                # The handshake comes with the first read, in the connection's own thread.
                sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            return sock, address

    with Server(("127.0.0.1", 0), Echo) as server:
        print("listening on %s:%d" % server.server_address, flush=True)
        server.serve_forever()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("host", nargs="?")
    parser.add_argument("port", nargs="?", type=int)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--tls", metavar="DIRECTORY")
    parser.add_argument("--mutual", action="store_true")
    options = parser.parse_args()
    if options.serve == (options.port is not None):
        parser.error("either HOST PORT or --serve")
    return serve(options) if options.serve else check(options)


if __name__ == "__main__":
    sys.exit(main())
