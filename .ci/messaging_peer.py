#!/usr/bin/env python3
"""A messaging client that is not Java, against a MessagingServer: messaging_peer.py HOST PORT

It knows nothing of the frames but what the server's reflection service tells, and what stands in
messaging.proto. Needs grpcio and protobuf (python3-grpcio). Ends with status 1 when anything is not
as it should be.
"""

import queue
import sys
import threading
import time

import grpc

import grpc_peer
from grpc_peer import Messages, check, reflect

PACKAGE = "dev.mullion.messaging.v1"
SERVICE = f"{PACKAGE}.Messaging"
TIMEOUT = 20


class Client:
    """One stream: frames that answer another have its id, all others go to a queue by their kind."""

    def __init__(self, channel, messages, name):
        self.messages = messages
        self.sending = queue.SimpleQueue()
        self.arrived = {}
        self.lock = threading.Lock()
        self.last_id = 0
        method = channel.stream_stream(
            f"/{SERVICE}/Connect",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=messages[f"{PACKAGE}.ServerBatch"].FromString)
        self.call = method(iter(self.sending.get, None), timeout=120)
        threading.Thread(target=self._read, daemon=True).start()
        self.send(hello={"version": 1, "client": name})
        self.welcome = self.expect("welcome")

    def _read(self):
        try:
            for batch in self.call:
                for frame in batch.frames:
                    kind = frame.WhichOneof("frame")
                    self._queue(kind).put(getattr(frame, kind))
            self._queue("end").put(None)
        except grpc.RpcError as error:
            self._queue("end").put(error)

    def _queue(self, kind):
        with self.lock:
            return self.arrived.setdefault(kind, queue.SimpleQueue())

    def send(self, **frame):
        batch = self.messages[f"{PACKAGE}.ClientBatch"]
        self.sending.put(batch(frames=[frame]))

    def expect(self, kind):
        return self._queue(kind).get(timeout=TIMEOUT)

    def ask(self, kind, **fields):
        """Sends a frame that is answered, and returns the answer; requests may overlap with others."""
        self.last_id += 1
        self.send(**{kind: dict(fields, id=self.last_id)})
        done = self.expect("done")
        assert done.id == self.last_id, (done.id, self.last_id)
        return done

    def subscribe(self, subscription, credit, **to):
        done = self.ask("subscribe", subscription=subscription, credit=credit, **to)
        if not done.HasField("error"):
            assert self.expect("ready").subscription == subscription
        return done

    def settle(self, delivery, **outcome):
        self.send(settle=dict(outcome, delivery=delivery.delivery))

    def close(self):
        """Leaves: the server ends the stream too."""
        self.sending.put(None)
        return self.expect("end")


def text(message):
    return message.payload.decode()


def kind(error):
    return error.DESCRIPTOR.enum_types_by_name["Kind"].values_by_number[error.kind].name


def publish_subscribe(connect):
    publisher, subscriber = connect("publisher"), connect("subscriber")
    subscriber.subscribe(1, 10, topic="prices.#")
    for price in ("1.07", "1.08"):
        done = publisher.ask("send", topic="prices.eur", message={
            "payload": price.encode(), "id": price, "key": "eur",
            "headers": [{"name": "source", "value": "Zürich"}]})
        check(f"{price} is published", done.HasField("error"), False)
    first, second = subscriber.expect("deliver"), subscriber.expect("deliver")
    check("both arrive in order", (text(first.message), text(second.message)), ("1.07", "1.08"))
    check("with their topic", first.address, "prices.eur")
    check("with key and headers",
          (first.message.key, [(each.name, each.value) for each in first.message.headers]),
          ("eur", [("source", "Zürich")]))
    check("without an outcome", first.delivery, 0)
    done = publisher.ask("send", topic="prices.*", message={"payload": b"x"})
    check("a pattern cannot be published to", kind(done.error), "KIND_INVALID")
    check("the publisher leaves", publisher.close(), None)
    check("the subscriber leaves", subscriber.close(), None)


def push_pull(connect):
    sender, worker = connect("sender"), connect("worker")
    jobs = {"name": "jobs", "redelivery": {
        "max_deliveries": 2, "delay": {"nanos": 50_000_000}}}
    check("a queue is declared", sender.ask("declare", queue=jobs).HasField("error"), False)
    for job in ("good", "fails", "never"):
        sender.ask("send", queue="jobs", message={"payload": job.encode()})
    worker.subscribe(1, 3, queue=jobs)
    for _ in range(3):
        delivery = worker.expect("deliver")
        check(f"{text(delivery.message)} comes for the first time",
              (delivery.failures, delivery.last), (0, False))
        outcome = {"good": {"acknowledged": {}}, "fails": {"failed": "try again"},
                   "never": {"rejected": "not for us"}}[text(delivery.message)]
        worker.settle(delivery, **outcome)
        check("its outcome is applied", worker.expect("settled").settlement, 1)
    worker.send(credit={"subscription": 1, "messages": 1})
    again = worker.expect("deliver")
    check("what failed comes again, for the last time",
          (text(again.message), again.failures, again.last), ("fails", 1, True))
    worker.settle(again, failed="gave up")
    worker.expect("settled")
    check("both that were not handled are dead",
          sender.ask("count_dead_letters", queue=jobs).count, 2)
    sender.last_id += 1
    sender.send(peek_dead_letters={"id": sender.last_id, "queue": jobs, "max": 10})
    letters = [sender.expect("letter").letter for _ in range(2)]
    sender.expect("done")
    check("with their errors", sorted((text(each.original), each.error) for each in letters),
          [("fails", "gave up"), ("never", "not for us")])
    check("and can be deleted",
          sender.ask("select_dead_letters", queue=jobs, action="ACTION_PURGE").count, 2)
    other = dict(jobs, ordered=True)
    error = sender.ask("declare", queue=other).error
    check("another declaration is refused", (kind(error), "jobs" in error.text),
          ("KIND_CONFLICTING_DECLARATION", True))

    sender.ask("send", queue="jobs", message={"payload": b"held"})
    worker.send(credit={"subscription": 1, "messages": 1})
    worker.expect("deliver")
    worker.call.cancel()
    second = connect("second worker")
    second.subscribe(1, 1, queue=jobs)
    held = second.expect("deliver")
    check("what a lost worker held comes to another, counted as lost",
          (text(held.message), held.failures, held.losses), ("held", 0, 1))
    second.settle(held, acknowledged={})
    second.expect("settled")
    for job in ("one", "two"):
        sender.ask("send", queue="jobs", message={"payload": job.encode()})
    second.send(credit={"subscription": 1, "messages": 2})
    one, two = second.expect("deliver"), second.expect("deliver")
    second.settle(one, acknowledged={"more_deliveries": [two.delivery]})
    check("one frame acknowledges two",
          [(each.delivery, each.settlement) for each in
           (second.expect("settled"), second.expect("settled"))],
          [(one.delivery, 1), (two.delivery, 1)])
    check("the second worker leaves", second.close(), None)
    check("the sender leaves", sender.close(), None)


def request_reply(connect):
    caller, replier = connect("caller"), connect("replier")
    timeout = {"seconds": TIMEOUT}
    caller.send(request={"id": 101, "subject": "capital", "timeout": timeout,
                         "message": {"payload": b"Peru"}})
    check("nobody listens is an error at once", kind(caller.expect("done").error),
          "KIND_NOBODY_LISTENS")
    replier.subscribe(1, 10, subject="capital")
    for question in ("Peru", "Atlantis"):
        caller.send(request={"id": 102, "subject": "capital", "timeout": timeout,
                             "message": {"payload": question.encode(), "id": question}})
        asked = replier.expect("deliver")
        check(f"{question} is asked", (text(asked.message), asked.time_left.seconds > 0),
              (question, True))
        if question == "Peru":
            replier.settle(asked, reply={"payload": b"Lima"})
        else:
            replier.settle(asked, failed="no such country")
        reply = caller.expect("reply")
        check("and answered", (text(reply.message), reply.error.text),
              ("Lima", "") if question == "Peru" else ("", "no such country"))
    check("the caller leaves", caller.close(), None)
    check("the replier leaves", replier.close(), None)


def fire_and_forget(connect):
    sender, receiver = connect("sensor"), connect("receiver")
    sender.send(signal={"signal": "heartbeat", "message": {"payload": b"1"}})
    dropped = sender.expect("signals_dropped")
    check("a signal without a receiver is dropped and told",
          (dropped.signal, dropped.messages), ("heartbeat", 1))
    receiver.subscribe(1, 1, signal="heartbeat")
    sender.send(signal={"signal": "heartbeat", "message": {"payload": b"2"}})
    check("one with a receiver arrives", text(receiver.expect("deliver").message), "2")
    check("the sender leaves", sender.close(), None)
    check("the receiver leaves", receiver.close(), None)


def broken_rules(connect):
    client = connect("careless")
    check("the server tells its limits", (client.welcome.version, client.welcome.window > 0,
                                          len(client.welcome.guarantees)), (1, True, 4))
    client.send(ping={})
    client.expect("pong")
    client.send(settle={"delivery": 17, "acknowledged": {}})
    error = client.expect("end")
    check("an unknown delivery ends the stream", (error.code(), error.details()),
          (grpc.StatusCode.INVALID_ARGUMENT,
           "delivery: 17 (expected: one that was delivered, 1 to 0)"))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    messages = Messages()
    with grpc.insecure_channel(f"{sys.argv[1]}:{sys.argv[2]}") as channel:
        grpc.channel_ready_future(channel).result(timeout=TIMEOUT)
        found = reflect(channel, messages, "v1", file_containing_symbol=SERVICE)
        # What a file imports comes after it.
        for serialized in reversed(found.files.file_descriptor_proto):
            messages.pool.AddSerializedFile(serialized)
        check("reflection describes the service",
              messages.pool.FindServiceByName(SERVICE).full_name, SERVICE)

        def connect(name):
            return Client(channel, messages, name)

        start = time.monotonic()
        for part in (publish_subscribe, push_pull, request_reply, fire_and_forget, broken_rules):
            part(connect)
        print(f"took {time.monotonic() - start:.1f} s")
    print(f"{grpc_peer.PASSED} passed, {grpc_peer.FAILED} failed")
    sys.exit(1 if grpc_peer.FAILED else 0)


if __name__ == "__main__":
    main()
