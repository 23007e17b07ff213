package dev.mullion.messaging.tck;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessageCodec;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** What of a message arrives, with each verb: cases 1 to 3 and 78. */
public abstract class MessageSuite extends EngineSuite {
  private static final int MEBIBYTE = 1 << 20;

  /** Creates the suite. */
  protected MessageSuite() {}

  @Test
  @DisplayName("1. payload, key, headers, id, content type, time and correlation id arrive as sent")
  void wholeMessageArrives() throws Exception {
    Message<String> sent = Message.of("payload")
        .withKey("key")
        .withId("id-" + fresh("m"))
        .withContentType("text/x-special")
        .withCorrelationId("correlation")
        .withTimestamp(Instant.ofEpochMilli(1_700_000_000_123L))
        .withHeaders(Map.of("a", "1"))
        .withHeader("b", "2");
    assertSame(sent, sendBy4Verbs(sent));
  }

  @Test
  @DisplayName("1. the codec sets the content type of a message without one; id and time are given")
  void defaultsArrive() throws Exception {
    Message<String> sent = Message.of("payload");
    for (Received.Entry<String> entry : sendBy4Verbs(sent)) {
      Message<String> message = entry.message();
      assertEquals(sent.id(), message.id());
      assertEquals(sent.timestamp(), message.timestamp());
      assertEquals(Codecs.utf8().contentType(), message.contentType().orElse("none"));
      assertEquals("none", message.key().orElse("none"));
      assertEquals(Map.of(), message.headers());
    }
  }

  private List<Received.Entry<String>> sendBy4Verbs(Message<String> sent) throws Exception {
    Messaging messaging = messaging();
    Topic<String> topic = topic();
    WorkQueue<String> queue = queue();
    WorkQueue<String> group = topic.group("group");
    Subject<String, String> subject = subject();
    Signal<String> signal = signal();
    Received<String> received = received();
    messaging.declare(group);
    ready(messaging.subscribe(topic, received));
    ready(messaging.pull(queue, received));
    ready(messaging.pull(group, received));
    ready(messaging.receive(signal, received));
    ready(messaging.reply(subject, request -> {
      received.add(request);
      return "reply";
    }));
    get(messaging.publishMessage(topic, sent));
    get(messaging.pushMessage(queue, sent));
    get(messaging.requestMessage(subject, sent, profile().delivery()));
    messaging.sendMessage(signal, sent);
    received.awaitExactly(List.of("payload", "payload", "payload", "payload", "payload"));
    List<String> addresses = received.entries().stream()
        .map(Received.Entry::address)
        .distinct()
        .sorted()
        .toList();
    List<String> expected = Stream.of(queue.name(), signal.name(), subject.name(), topic.name())
        .sorted()
        .toList();
    assertEquals(expected, addresses, "addresses");
    return received.entries();
  }

  private static void assertSame(Message<String> sent, List<Received.Entry<String>> arrived) {
    for (Received.Entry<String> entry : arrived) {
      Message<String> message = entry.message();
      String at = " at " + entry.address();
      assertEquals(sent.payload(), message.payload(), "payload" + at);
      assertEquals(sent.key(), message.key(), "key" + at);
      assertEquals(sent.headers(), message.headers(), "headers" + at);
      assertEquals(sent.id(), message.id(), "id" + at);
      assertEquals(sent.contentType(), message.contentType(), "content type" + at);
      assertEquals(sent.timestamp(), message.timestamp(), "timestamp" + at);
      assertEquals(sent.correlationId(), message.correlationId(), "correlation id" + at);
    }
  }

  @Test
  @DisplayName("2. payloads of 0 and 1 bytes and of 1 MiB arrive")
  void sizes() throws Exception {
    Messaging messaging = messaging(builder -> builder.maxMessageSize(MEBIBYTE + 1024));
    Topic<byte[]> topic = Topic.of(fresh("topic"), Codecs.bytes());
    WorkQueue<byte[]> queue = WorkQueue.of(fresh("queue"), Codecs.bytes());
    Received<byte[]> received = received();
    ready(messaging.subscribe(topic, received));
    ready(messaging.pull(queue, received));
    for (int size : new int[] {0, 1, 65_536, MEBIBYTE - 1, MEBIBYTE}) {
      byte[] payload = new byte[size];
      new Random(size).nextBytes(payload);
      get(messaging.publish(topic, payload));
      get(messaging.push(queue, payload));
      awaitTwice(received, size);
      received.payloads().stream()
          .filter(each -> each.length == size)
          .forEach(each -> assertArrayEquals(payload, each));
    }
  }

  private void awaitTwice(Received<byte[]> received, int size) {
    await(
        size + " bytes twice",
        () -> received.payloads().stream().filter(each -> each.length == size).count() >= 2,
        received::size);
  }

  @Test
  @DisplayName("2. the largest allowed payload arrives; one byte more fails with size and limit")
  void largestAllowed() throws Exception {
    int limit = 10_000;
    Messaging messaging = messaging(builder -> builder.maxMessageSize(limit));
    Topic<byte[]> topic = Topic.of(fresh("topic"), Codecs.bytes());
    WorkQueue<byte[]> queue = WorkQueue.of(fresh("queue"), Codecs.bytes());
    Received<byte[]> received = received();
    ready(messaging.subscribe(topic, received));
    ready(messaging.pull(queue, received));
    // The headers count too: the largest payload is a little below the limit.
    int size = limit;
    MessageTooLargeException refused = null;
    while (size > limit - 1000) {
      byte[] payload = new byte[size];
      try {
        messaging.push(queue, payload).get(10, TimeUnit.SECONDS);
        break;
      } catch (ExecutionException e) {
        failure(MessageTooLargeException.class, messaging.publish(topic, payload));
        refused = failure(
            MessageTooLargeException.class,
            CompletableFuture.failedFuture(e.getCause() == null ? e : e.getCause()));
        size--;
      }
    }
    assertText(
        requireNonNull(refused, "a message above the limit"), "maxMessageSize", limit, limit + 1);
    get(messaging.publish(topic, new byte[size]));
    int largest = size;
    awaitTwice(received, largest);
    Message<byte[]> withHeader = Message.of(new byte[largest]).withHeader("name", "value");
    failure(MessageTooLargeException.class, messaging.pushMessage(queue, withHeader));
    received.payloads().forEach(each -> assertEquals(largest, each.length));
  }

  @Test
  @DisplayName("3. header values that are empty, of 8 KiB or UTF-8, and names that are, arrive")
  void headers() throws Exception {
    Map<String, String> headers = new LinkedHashMap<>();
    headers.put("empty", "");
    headers.put("large", "x".repeat(8192));
    headers.put("utf-8", "grüße, 你好, 𝄞");
    headers.put("größe-你好", "name");
    headers.put("with space: and \"quotes\"", "line\nbreak\ttab");
    Message<String> sent =
        Message.of("payload").withHeaders(headers).withContentType(Codecs.utf8().contentType());
    assertSame(sent, sendBy4Verbs(sent));
  }

  @Test
  @DisplayName(
      "78. a message with a payload of a subtype goes out once, not inside another message")
  void messageOfSubtype() throws Exception {
    MessageCodec<CharSequence> codec = new AnyText();
    Topic<CharSequence> topic = Topic.of(fresh("topic"), codec);
    WorkQueue<CharSequence> queue = WorkQueue.of(fresh("queue"), codec);
    Signal<CharSequence> signal = Signal.of(fresh("signal"), codec);
    Messaging messaging = messaging();
    Received<CharSequence> received = received();
    ready(messaging.subscribe(topic, received));
    ready(messaging.pull(queue, received));
    ready(messaging.receive(signal, received));
    Message<String> text = Message.of("text");
    Message<StringBuilder> number = Message.of(new StringBuilder("7"));
    get(messaging.publishMessage(topic, text));
    get(messaging.publishMessage(topic, number));
    get(messaging.pushMessage(queue, text));
    get(messaging.pushMessage(queue, number));
    messaging.sendMessage(signal, text);
    messaging.sendMessage(signal, number);
    received.awaitExactly(List.of("text", "7", "text", "7", "text", "7"));
  }

  private static final class AnyText implements MessageCodec<CharSequence> {
    @Override
    public byte[] encode(CharSequence payload) {
      return payload.toString().getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public CharSequence decode(byte[] payload, String contentType) {
      return new String(payload, StandardCharsets.UTF_8);
    }

    @Override
    public String contentType() {
      return "text/plain";
    }
  }
}
