#!/usr/bin/python3
"""Checks with Debian's python3-pika that plain clients of RabbitMQ and Mullion's engine read each other.

Usage: rabbitmq_peer.py HOST PORT, of the program RabbitMqPeer.
"""

import sys
import time

import pika

TIMEOUT = 20


def check(seen, expected, what):
    if seen != expected:
        sys.exit(f"{what}: {seen!r} (expected: {expected!r})")
    print(f"{what}: {seen!r}")


def receive(channel, queue):
    """Returns the next message of a queue."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method:
            return properties, body
        time.sleep(0.02)
    sys.exit(f"{queue}: nothing within {TIMEOUT} s")


def job(channel):
    sent = pika.BasicProperties(message_id="id-1", content_type="text/plain", correlation_id="c-1",
                                delivery_mode=2, headers={"own": "grüße", "mullion-key": "key-1"})
    channel.basic_publish("", "mullion.queue.in", "from python".encode(), sent)
    properties, body = receive(channel, "mullion.queue.out")
    check(body, b"job from python", "a job")
    check(properties.message_id, "id-1", "its id")
    check(properties.content_type, "text/plain", "its content type")
    check(properties.correlation_id, "c-1", "its correlation id")
    check(properties.delivery_mode, 2, "its delivery mode")
    check(properties.headers["own"], "grüße", "its header")
    check(properties.headers["mullion-key"], "key-1", "its key")


def news(channel):
    channel.basic_publish("mullion.topics", "news.python", b"published")
    properties, body = receive(channel, "mullion.queue.out")
    check(body, b"news published", "a topic's message")
    check(properties.headers["topic"], "news.python", "its topic")


def request(channel):
    replies = []
    channel.basic_consume("amq.rabbitmq.reply-to", lambda *reply: replies.append(reply), auto_ack=True)
    channel.basic_publish("", "mullion.subject.greet", b"python", pika.BasicProperties(
        reply_to="amq.rabbitmq.reply-to", correlation_id="c-2"))
    end = time.monotonic() + TIMEOUT
    while not replies and time.monotonic() < end:
        channel.connection.process_data_events(0.1)
    if not replies:
        sys.exit(f"no reply within {TIMEOUT} s")
    _, _, properties, body = replies[0]
    check(body, b"hello python", "a reply")
    check(properties.correlation_id, "c-2", "its correlation id")


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    connection = pika.BlockingConnection(pika.ConnectionParameters(host, port))
    channel = connection.channel()
    job(channel)
    news(channel)
    request(channel)
    connection.close()


main()
