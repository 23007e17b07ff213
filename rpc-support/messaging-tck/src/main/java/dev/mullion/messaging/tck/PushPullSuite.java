package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.DeadLetter.Reason;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessageCodec;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.RejectedMessageException;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.UndecodableMessageException;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Push-pull: delivery, counts and dead letters; cases 21 to 25, 27 to 30 and 48. */
public abstract class PushPullSuite extends EngineSuite {
  private static final byte[] NOT_UTF8 = {(byte) 0xC3, (byte) 0x28, 0, 1, (byte) 0xFF};

  /** Creates the suite. */
  protected PushPullSuite() {}

  @Test
  @DisplayName("21. what was pushed before any worker existed is handled")
  void pushBeforeWorker() throws Exception {
    WorkQueue<String> queue = queue();
    List<String> sent = numbered("", profile().scaled(500));
    pushAll(messaging(), queue, sent);
    Received<String> received = received();
    ready(messaging().pull(queue, received));
    received.awaitExactly(sent);
  }

  @EachHandlerKind
  @DisplayName("22. four workers share 5,000 jobs: their union is exact, and nothing is left")
  void workersShare(HandlerKind kind) throws Exception {
    Messaging one = messaging();
    Messaging two = messaging();
    WorkQueue<String> queue = queue();
    Received<String> union = received();
    for (Messaging messaging : List.of(one, one, two, two)) {
      ready(kind.start(messaging.worker(queue).concurrency(2).prefetch(16), union));
    }
    List<String> sent = numbered("", profile().scaled(5000));
    List<String> second = sent.subList(sent.size() / 2, sent.size());
    sent.subList(0, sent.size() / 2).forEach(job -> one.push(queue, job));
    second.forEach(job -> two.push(queue, job));
    union.awaitExactly(sent);
    await("an empty queue", () -> isEmpty(status(one, queue)), () -> status(one, queue));
    assertEquals(0, deadLetters(one, queue));
  }

  private static boolean isEmpty(QueueStatus status) {
    return status.waiting() + status.delayed() + status.inFlight() == 0;
  }

  @EachHandlerKind
  @DisplayName("23. returning acknowledges, throwing gives back: the count is 1, 2, 3")
  void countRises(HandlerKind kind) throws Exception {
    Messaging messaging = messaging();
    WorkQueue<String> queue = queue();
    Received<String> received = received();
    Subscription worker = ready(kind.start(messaging.worker(queue), delivery -> {
      received.add(delivery);
      if (delivery.deliveryCount() < 3) {
        throw new IllegalStateException("not yet");
      }
    }));
    get(messaging.push(queue, "job"));
    awaitAcknowledged(worker, 1);
    received.awaitQuiet();
    assertEquals(List.of(1, 2, 3), countsWithoutDuplicates(received));
    await("an empty queue", () -> isEmpty(status(messaging, queue)), () -> received);
    assertEquals(0, deadLetters(messaging, queue));
  }

  /** Returns the counts; where there are no duplicates, each delivery's. */
  private List<Integer> countsWithoutDuplicates(Received<?> received) {
    var counts = received.entries().stream().map(Received.Entry::count);
    return (profile().duplicates() > 0 ? counts.distinct() : counts).toList();
  }

  @EachHandlerKind
  @DisplayName("24. maxDeliveries 1, 2 and 5 are exactly that many calls, and then one dead letter")
  void exactlyMaxDeliveries(HandlerKind kind) throws Exception {
    for (int max : new int[] {1, 2, 5}) {
      Messaging messaging = messaging();
      WorkQueue<String> queue = queue(max);
      Received<String> received = failAlways(kind, messaging, queue);
      received.awaitQuiet();
      List<Integer> expected = IntStream.rangeClosed(1, max).boxed().toList();
      assertEquals(expected, countsWithoutDuplicates(received), "maxDeliveries " + max);
      assertTrue(received.size() <= max + profile().allowedDuplicates(max), received::toString);
      assertEquals(1, deadLetters(messaging, queue));
      DeadLetter letter = get(messaging.deadLetters(queue).peek(2)).get(0);
      assertEquals(max, letter.deliveryCount());
    }
  }

  @EachHandlerKind
  @DisplayName("25. isLast is true at the last delivery, and only then")
  void isLast(HandlerKind kind) throws Exception {
    for (int max : new int[] {1, 3}) {
      Received<String> received = failAlways(kind, messaging(), queue(max));
      received
          .entries()
          .forEach(entry -> assertEquals(entry.count() == max, entry.last(), entry.toString()));
      assertEquals(
          max, received.entries().stream().mapToInt(Received.Entry::count).max().orElse(0));
    }
  }

  @EachHandlerKind
  @DisplayName("27. a dead letter has the original bytes, headers, id, key, type, and why it died")
  void deadLetterIsWhole(HandlerKind kind) throws Exception {
    Messaging messaging = messaging();
    WorkQueue<byte[]> queue = WorkQueue.builder(fresh("queue"), Codecs.bytes())
        .redelivery(Redelivery.immediate(2))
        .build();
    ready(kind.start(messaging.worker(queue), delivery -> {
      throw new IllegalStateException("the handler's text");
    }));
    Message<byte[]> sent = Message.of(NOT_UTF8.clone())
        .withKey("key")
        .withContentType("application/x-special")
        .withCorrelationId("correlation")
        .withHeaders(Map.of("name", "grüße", "empty", ""));
    Instant before = Instant.ofEpochMilli(Instant.now().toEpochMilli());
    get(messaging.pushMessage(queue, sent));
    awaitDeadLetters(messaging, queue, 1);
    DeadLetter letter = get(messaging.deadLetters(queue).peek(10)).get(0);
    Message<byte[]> original = letter.original();
    assertArrayEquals(NOT_UTF8, original.payload());
    assertEquals(sent.id(), original.id());
    assertEquals(sent.key(), original.key());
    assertEquals(sent.headers(), original.headers());
    assertEquals(sent.contentType(), original.contentType());
    assertEquals(sent.correlationId(), original.correlationId());
    assertEquals(sent.timestamp(), original.timestamp());
    assertEquals(queue.name(), letter.queue());
    assertEquals(Reason.DELIVERY_LIMIT, letter.reason());
    assertTrue(letter.error().contains("the handler's text"), letter.error());
    assertEquals(2, letter.deliveryCount());
    assertFalse(letter.died().isBefore(before), letter.died() + " is before " + before);
    assertFalse(letter.died().isAfter(Instant.now().plus(profile().delivery())));
  }

  @EachHandlerKind
  @DisplayName("28. the reasons of dead letters: limit, rejected, undecodable, expired")
  void reasons(HandlerKind kind) throws Exception {
    Messaging messaging = messaging();
    String name = fresh("queue");
    WorkQueue<String> queue = WorkQueue.builder(name, Codecs.utf8())
        .redelivery(Redelivery.immediate(2))
        .build();
    WorkQueue<byte[]> bytes = WorkQueue.builder(name, Codecs.bytes())
        .redelivery(Redelivery.immediate(2))
        .build();
    get(messaging.pushMessage(queue, Message.of("expired").withTimeToLive(Duration.ofMillis(1))));
    long sent = System.nanoTime();
    await("its time to live", () -> System.nanoTime() - sent > 5_000_000, () -> "nothing");
    Received<String> received = received();
    ready(kind.start(messaging.worker(queue), delivery -> {
      received.add(delivery);
      if (delivery.payload().equals("rejected")) {
        throw new RejectedMessageException("never");
      }
      throw new IllegalStateException("failed");
    }));
    pushAll(messaging, queue, List.of("rejected", "limit"));
    get(messaging.push(bytes, NOT_UTF8));
    awaitDeadLetters(messaging, queue, 4);
    List<Reason> reasons = get(messaging.deadLetters(queue).peek(10)).stream()
        .map(DeadLetter::reason)
        .sorted()
        .toList();
    List<Reason> expected =
        List.of(Reason.DELIVERY_LIMIT, Reason.REJECTED, Reason.UNDECODABLE, Reason.EXPIRED);
    assertEquals(expected, reasons);
    received.awaitExactly(List.of("rejected", "limit", "limit"));
  }

  @EachHandlerKind
  @DisplayName("29. an undecodable job is a dead letter at once, without a call; 100 slow nothing")
  void undecodable(HandlerKind kind) throws Exception {
    Messaging messaging = messaging();
    String name = fresh("queue");
    Redelivery slow = Redelivery.constant(5, Duration.ofMinutes(5));
    WorkQueue<String> queue =
        WorkQueue.builder(name, Codecs.utf8()).redelivery(slow).build();
    WorkQueue<byte[]> bytes =
        WorkQueue.builder(name, Codecs.bytes()).redelivery(slow).build();
    int bad = profile().scaled(100);
    List<byte[]> payloads = new ArrayList<>();
    for (int i = 0; i < bad; i++) {
      payloads.add(NOT_UTF8.clone());
    }
    pushAll(messaging, bytes, payloads);
    get(messaging.push(queue, "good"));
    Received<String> received = received();
    Subscription worker = ready(kind.start(messaging.worker(queue), received));
    received.awaitExactly(List.of("good"));
    awaitDeadLetters(messaging, queue, bad);
    for (DeadLetter letter : get(messaging.deadLetters(queue).peek(bad))) {
      assertEquals(Reason.UNDECODABLE, letter.reason());
      assertArrayEquals(NOT_UTF8, letter.original().payload());
      assertEquals(1, letter.deliveryCount());
    }
    assertTrue(worker.counters().undecodable() >= bad, () -> worker.counters().toString());
    assertEquals(0, worker.counters().failed());
  }

  @EachHandlerKind
  @DisplayName("30. a codec that throws an Error makes a dead letter, or fails the send")
  void codecThrowsError(HandlerKind kind) throws Exception {
    Messaging messaging = messaging();
    WorkQueue<String> queue = WorkQueue.builder(fresh("queue"), new Defective())
        .redelivery(Redelivery.constant(3, Duration.ofMinutes(5)))
        .build();
    Received<String> received = received();
    ready(kind.start(messaging.worker(queue), received));
    get(messaging.push(queue, "decode"));
    get(messaging.push(queue, "good"));
    received.awaitExactly(List.of("good"));
    awaitDeadLetters(messaging, queue, 1);
    DeadLetter letter = get(messaging.deadLetters(queue).peek(1)).get(0);
    assertEquals(Reason.UNDECODABLE, letter.reason());
    assertTrue(letter.error().contains("defect in decode"), letter.error());
    Throwable failed;
    try {
      failed = failure(Throwable.class, messaging.push(queue, "encode"));
    } catch (LinkageError thrown) {
      failed = thrown;
    }
    assertTrue(String.valueOf(failed).contains("defect in encode"), failed.toString());
    get(messaging.push(queue, "good again"));
    received.awaitExactly(List.of("good", "good again"));
  }

  private static final class Defective implements MessageCodec<String> {
    @Override
    public byte[] encode(String payload) {
      if (payload.equals("encode")) {
        throw new LinkageError("defect in encode");
      }
      return Codecs.utf8().encode(payload);
    }

    @Override
    public String decode(byte[] payload, String contentType) throws UndecodableMessageException {
      String text = Codecs.utf8().decode(payload, contentType);
      if (text.equals("decode")) {
        throw new LinkageError("defect in decode");
      }
      return text;
    }

    @Override
    public String contentType() {
      return "text/plain";
    }
  }

  @Test
  @DisplayName("48. one id pushed twice is two jobs: nothing is deduplicated in silence")
  void sameIdTwice() throws Exception {
    Messaging messaging = messaging();
    WorkQueue<String> queue = queue();
    Message<String> message = Message.of("job").withId("same");
    get(messaging.pushMessage(queue, message));
    get(messaging.pushMessage(queue, message));
    Received<String> received = received();
    ready(messaging.pull(queue, received));
    received.awaitExactly(List.of("job", "job"));
    assertEquals(
        List.of("same", "same"),
        received.entries().stream().limit(2).map(entry -> entry.message().id()).toList());
  }
}
