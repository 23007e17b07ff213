#!/usr/bin/env python3
"""A peer that is not Java, for the default format: four bytes of big-endian length, then the payload.

  peer.py HOST PORT   checks the echo server that listens there, byte for byte
  peer.py --serve     is an echo server itself, on a port of 127.0.0.1 that it prints, until SIGTERM
"""

import random
import socket
import socketserver
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


def check(host, port):
    def connect():
        sock = socket.create_connection((host, port), TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    failed = 0
    for each in CHECKS:
        start = time.monotonic()
        try:
            each(connect)
            outcome = "ok"
        except Exception as e:
            failed += 1
            outcome = f"FAILED: {type(e).__name__}: {e}"
        print(f"{each.__name__}: {outcome} ({time.monotonic() - start:.2f} s)", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        payload = receive(self.request)
        while payload is not None:
            self.request.sendall(frame(payload))
            payload = receive(self.request)


def serve():
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Echo) as server:
        print("listening on %s:%d" % server.server_address, flush=True)
        server.serve_forever()


def main(arguments):
    if arguments == ["--serve"]:
        serve()
    elif len(arguments) == 2:
        return check(arguments[0], int(arguments[1]))
    else:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
