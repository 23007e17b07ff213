#!/usr/bin/env python3
"""A gRPC client that is not Java, against a Greeter: grpc_peer.py HOST PORT

It knows nothing of the messages but what the server's reflection service tells. Needs grpcio and
protobuf (python3-grpcio). Ends with status 1 when anything is not as it should be.
"""

import queue
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PASSED = FAILED = 0


def check(what, seen, expected):
    global PASSED, FAILED
    if seen == expected:
        PASSED += 1
        print(f"ok      {what}")
    else:
        FAILED += 1
        print(f"FAILED  {what}: {seen!r} (expected: {expected!r})")


def file_of(name, package, messages):
    """Describes messages of fields: {message: {field: (number, type or message, is repeated)}}."""
    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3")
    for message, fields in messages.items():
        described = file.message_type.add(name=message)
        for field, (number, kind, repeated) in fields.items():
            added = described.field.add(name=field, number=number)
            added.label = field_type.LABEL_REPEATED if repeated else field_type.LABEL_OPTIONAL
            if isinstance(kind, int):
                added.type = kind
            else:
                added.type, added.type_name = field_type.TYPE_MESSAGE, f".{package}.{kind}"
    return file


STRING = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
BYTES = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
INT32 = descriptor_pb2.FieldDescriptorProto.TYPE_INT32

# One of a single field with 5,000,000 bytes.
TOO_LONG = "inbound message of 5000005 bytes exceeds maxInboundMessageSize 4194304"

# What is needed of grpc.reflection.v1 and google.rpc, with names of our own.
BOOTSTRAP = [
    file_of("reflection", "reflection", {
        "Request": {"file_containing_symbol": (4, STRING, False), "list_services": (7, STRING, False)},
        "Response": {"files": (4, "Files", False), "services": (6, "Services", False)},
        "Files": {"file_descriptor_proto": (1, BYTES, True)},
        "Services": {"service": (1, "Service", True)},
        "Service": {"name": (1, STRING, False)},
    }),
    file_of("status", "status", {
        "Status": {"code": (1, INT32, False), "message": (2, STRING, False), "details": (3, "Any", True)},
        "Any": {"type_url": (1, STRING, False), "value": (2, BYTES, False)},
        "BadRequest": {"field_violations": (1, "Violation", True)},
        "Violation": {"field": (1, STRING, False), "description": (2, STRING, False)},
    }),
]


class Messages:
    def __init__(self):
        self.pool = descriptor_pool.DescriptorPool()
        self.factory = message_factory.MessageFactory(self.pool)
        for file in BOOTSTRAP:
            self.pool.Add(file)

    def __getitem__(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))


def reflection_method(channel, messages, version):
    return channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=messages["reflection.Response"].FromString)


def reflect(channel, messages, version, **request):
    call = reflection_method(channel, messages, version)
    return next(call(iter([messages["reflection.Request"](**request)]), timeout=20))


def method(channel, messages, path, request, reply, kind="unary_unary"):
    return getattr(channel, kind)(
        path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=messages[reply].FromString), messages[request]


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    return None


def failure_of_too_long(call):
    """Seen once in some hundred times with a server just started: the connection was lost instead."""
    for _ in range(3):
        error = failure(call)
        if error is None or error.code() != grpc.StatusCode.UNAVAILABLE:
            break
        print(f"again   {error.details()}")
    return error


def too_long_in_a_stream(channel, messages):
    """The method of reflection is a stream in both directions."""
    request, requests = messages["reflection.Request"], queue.SimpleQueue()
    replies = reflection_method(channel, messages, "v1")(iter(requests.get, None), timeout=20)
    try:
        requests.put(request(list_services="*"))
        next(replies)
        requests.put(request(list_services="x" * 5_000_000))
        next(replies)
    finally:
        requests.put(None)


def reflection(channel, messages):
    for version in ("v1", "v1alpha"):
        listed = reflect(channel, messages, version, list_services="*")
        names = {service.name for service in listed.services.service}
        expected = {"hello.Greeter", "grpc.health.v1.Health"}
        check(f"reflection {version} lists the services", expected - names, set())
    for symbol in ("hello.Greeter", "grpc.health.v1.Health"):
        found = reflect(channel, messages, "v1", file_containing_symbol=symbol)
        for serialized in found.files.file_descriptor_proto:
            messages.pool.AddSerializedFile(serialized)
        check(f"reflection describes {symbol}",
              messages.pool.FindServiceByName(symbol).full_name, symbol)

    error = failure_of_too_long(lambda: too_long_in_a_stream(channel, messages))
    check("a message that is too long is refused in a stream too", (error.code(), error.details()),
          (grpc.StatusCode.RESOURCE_EXHAUSTED, TOO_LONG))


def greeter(channel, messages):
    say_hello, request = method(
        channel, messages, "/hello.Greeter/SayHello", "hello.HelloRequest", "hello.HelloReply")
    check("a name is greeted", say_hello(request(name="Ada"), timeout=20).message, "Hello, Ada!")
    check("a name beyond ASCII is greeted",
          say_hello(request(name="Zoë 你好"), timeout=20).message, "Hello, Zoë 你好!")
    futures = [say_hello.future(request(name=str(i)), timeout=20) for i in range(1000)]
    check("1000 calls at once are answered",
          [future.result().message for future in futures], [f"Hello, {i}!" for i in range(1000)])

    error = failure(lambda: say_hello(request(name=""), timeout=20))
    text = "name: 0 characters (expected: 1 to 256)"
    check("an empty name is refused", (error.code(), error.details()),
          (grpc.StatusCode.INVALID_ARGUMENT, text))
    trailers = {key: value for key, value in error.trailing_metadata()}
    status = messages["status.Status"].FromString(trailers["grpc-status-details-bin"])
    check("its rich status repeats that", (status.code, status.message), (3, text))
    check("with one detail", [detail.type_url for detail in status.details],
          ["type.googleapis.com/google.rpc.BadRequest"])
    violations = messages["status.BadRequest"].FromString(status.details[0].value).field_violations
    check("which names the field", [(each.field, each.description) for each in violations],
          [("name", text)])

    error = failure_of_too_long(
        lambda: say_hello(request(name="x" * 5_000_000), timeout=20))
    check("a message that is too long is refused", (error.code(), error.details()),
          (grpc.StatusCode.RESOURCE_EXHAUSTED, TOO_LONG))
    check("and the connection is still good",
          say_hello(request(name="Ada"), timeout=20).message, "Hello, Ada!")
    unknown, request = method(
        channel, messages, "/hello.Greeter/SayGoodbye", "hello.HelloRequest", "hello.HelloReply")
    error = failure(lambda: unknown(request(name="Ada"), timeout=20))
    check("an unknown method is unimplemented", error.code(), grpc.StatusCode.UNIMPLEMENTED)


def health(channel, messages):
    types = ("grpc.health.v1.HealthCheckRequest", "grpc.health.v1.HealthCheckResponse")
    ask, request = method(channel, messages, "/grpc.health.v1.Health/Check", *types)
    for service in ("", "hello.Greeter"):
        check(f"service {service!r} is healthy", ask(request(service=service), timeout=20).status, 1)
    error = failure(lambda: ask(request(service="nobody"), timeout=20))
    check("an unknown service is not found", error.code(), grpc.StatusCode.NOT_FOUND)
    watch, request = method(
        channel, messages, "/grpc.health.v1.Health/Watch", *types, kind="unary_stream")
    updates = watch(request(service=""), timeout=20)
    check("health can be watched", next(updates).status, 1)
    updates.cancel()
    updates = watch(request(service=""), timeout=1)
    error = failure(lambda: list(updates))
    check("until a deadline ends that", error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    messages = Messages()
    with grpc.insecure_channel(f"{sys.argv[1]}:{sys.argv[2]}") as channel:
        grpc.channel_ready_future(channel).result(timeout=20)
        reflection(channel, messages)
        greeter(channel, messages)
        health(channel, messages)
    print(f"{PASSED} passed, {FAILED} failed")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
