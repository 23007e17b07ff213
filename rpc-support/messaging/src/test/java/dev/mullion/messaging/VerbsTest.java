package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Each verb, on the embedded engine, as users write it. */
class VerbsTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final Messaging messaging = Messaging.embedded();

  @AfterEach
  void close() {
    messaging.close();
    MessagingCounters counters = messaging.counters();
    assertThat(counters.pending()).isZero();
    assertThat(counters.handlersRunning()).isZero();
  }

  private static <T> T result(CompletableFuture<T> future) throws Exception {
    return future.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
  }

  private static Throwable failure(CompletableFuture<?> future) throws Exception {
    try {
      throw new AssertionError("has a result: " + result(future));
    } catch (ExecutionException e) {
      return requireNonNull(e.getCause());
    }
  }

  private static Subscription ready(Subscription subscription) throws Exception {
    result(subscription.ready().toCompletableFuture());
    return subscription;
  }

  /** Text, under a type that a {@code Message} has too. */
  private static final MessageCodec<Object> OBJECTS = new MessageCodec<>() {
    @Override
    public byte[] encode(Object payload) {
      return Codecs.utf8().encode((String) payload);
    }

    @Override
    public Object decode(byte[] payload, String type) throws UndecodableMessageException {
      return Codecs.utf8().decode(payload, type);
    }

    @Override
    public String contentType() {
      return "text/plain";
    }
  };

  /** As overloads, these calls did not compile without a cast. */
  @Test
  void messagesOfAnyType() throws Exception {
    Topic<Object> topic = Topic.of("objects", OBJECTS);
    WorkQueue<Object> queue = WorkQueue.of("objects", OBJECTS);
    Subject<Object, Object> subject = Subject.of("objects", OBJECTS, OBJECTS);
    Signal<Object> signal = Signal.of("objects", OBJECTS);
    List<String> handled = new CopyOnWriteArrayList<>();
    Handler<Object> handler =
        each -> handled.add(each.payload() + " " + each.message().id());
    ready(messaging.subscribe(topic, handler));
    ready(messaging.pull(queue, handler));
    ready(messaging.receive(signal, handler));
    ready(messaging
        .replier(subject)
        .startMessages(question -> CompletableFuture.completedFuture(
            Message.of(question.payload() + " " + question.message().id()))));

    result(messaging.publishMessage(topic, Message.of("a").withId("1")));
    result(messaging.pushMessage(queue, Message.of("b").withId("2")));
    assertThat(messaging.sendMessage(signal, Message.of("c").withId("3"))).isTrue();
    Message<Object> reply =
        result(messaging.requestMessage(subject, Message.of("d").withId("4"), PATIENCE));
    Waiting.until(() -> handled.size() == 3);
    assertThat(handled).containsExactlyInAnyOrder("a 1", "b 2", "c 3");
    assertThat(reply.payload()).isEqualTo("d 4");
  }

  /** No address makes a call ambiguous; the compiler cannot tell here that it is a mistake. */
  @Test
  void messageIsNoPayload() throws Exception {
    Message<String> message = Message.of("x");
    Subject<Object, Object> subject = Subject.of("objects", OBJECTS, OBJECTS);
    ready(messaging.reply(subject, question -> message));
    List<ThrowingCallable> mistakes = List.of(
        () -> messaging.publish(Topic.of("objects", OBJECTS), message),
        () -> messaging.push(WorkQueue.of("objects", OBJECTS), message),
        () -> messaging.send(Signal.of("objects", OBJECTS), message),
        () -> messaging.request(subject, message, PATIENCE),
        () -> Message.of(message));
    String text = "payload: a Message (expected: no message; methods such as pushMessage take one)";
    for (ThrowingCallable mistake : mistakes) {
      assertThatThrownBy(mistake).isInstanceOf(IllegalArgumentException.class).hasMessage(text);
    }
    assertThat(messaging.counters().sent()).isZero();
    assertThat(messaging.request(subject, "reply with a message", PATIENCE))
        .failsWithin(PATIENCE)
        .withThrowableOfType(ExecutionException.class)
        .withCauseInstanceOf(RequestFailedException.class)
        .withMessageContaining(text);
  }

  /** Invoices to be printed: by one of several workers, at least once, and never lost. */
  @Test
  void pushAndPull() throws Exception {
    WorkQueue<String> invoices = WorkQueue.builder("invoices", Codecs.utf8())
        .redelivery(Redelivery.immediate(3))
        .handlerTimeout(Duration.ofMinutes(2))
        .capacity(100_000)
        .build();
    Collection<String> printed = new CopyOnWriteArrayList<>();
    Map<String, Integer> tries = new ConcurrentHashMap<>();
    Subscription workers = messaging.worker(invoices).concurrency(8).start(job -> {
      String invoice = job.payload();
      if (invoice.isBlank()) {
        throw new RejectedMessageException("empty invoice"); // a dead letter at once
      }
      tries.merge(invoice, 1, Integer::sum);
      if (invoice.equals("invoice 7") && !job.isLast()) {
        throw new IllegalStateException("out of paper"); // again, and again
      }
      if (invoice.equals("invoice 8")) {
        throw new IllegalStateException("printer on fire"); // until it is a dead letter
      }
      printed.add(invoice);
    });

    for (int i = 0; i < 100; i++) {
      result(messaging.push(invoices, "invoice " + i));
    }
    result(
        messaging.pushMessage(invoices, Message.of(" ").withId("order-4711").withHeader("a", "b")));
    Waiting.until(() -> workers.counters().deadLettered() == 2 && printed.size() == 99);

    assertThat(printed)
        .containsExactlyInAnyOrderElementsOf(IntStream.range(0, 100)
            .filter(i -> i != 8)
            .mapToObj(i -> "invoice " + i)
            .toList());
    assertThat(tries).containsEntry("invoice 7", 3).containsEntry("invoice 8", 3);
    DeadLetters letters = messaging.deadLetters(invoices);
    List<DeadLetter> dead = result(letters.peek(10).toCompletableFuture());
    assertThat(dead).hasSize(2);
    DeadLetter burnt = dead(dead, "printer on fire");
    assertThat(burnt.reason()).isEqualTo(DeadLetter.Reason.DELIVERY_LIMIT);
    assertThat(burnt.deliveryCount()).isEqualTo(3);
    DeadLetter empty = dead(dead, "empty invoice");
    assertThat(empty.reason()).isEqualTo(DeadLetter.Reason.REJECTED);
    assertThat(empty.deliveryCount()).isEqualTo(1);
    assertThat(empty.original().id()).isEqualTo("order-4711");
    assertThat(empty.original().headers()).containsEntry("a", "b");

    assertThat(result(letters
            .purge(letter -> letter.reason() == DeadLetter.Reason.REJECTED)
            .toCompletableFuture()))
        .isEqualTo(1);
    assertThat(result(letters.redrive(10, letter -> true).toCompletableFuture()))
        .isEqualTo(1);
    Waiting.until(() -> workers.counters().deadLettered() == 3);
    assertThat(tries).containsEntry("invoice 8", 6);
    assertThat(workers.stop(PATIENCE).interrupted()).isZero();
    assertThat(printed).hasSize(99);
  }

  private static DeadLetter dead(List<DeadLetter> letters, String error) {
    return letters.stream()
        .filter(letter -> letter.error().contains(error))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void pullInBatches() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("rows", Codecs.utf8());
    Collection<String> stored = new CopyOnWriteArrayList<>();
    for (int i = 0; i < 20; i++) {
      messaging.push(queue, "row " + i);
    }
    messaging
        .worker(queue)
        .prefetch(20)
        .startBatch(500, batch -> batch.deliveries().forEach(row -> stored.add(row.payload())));

    Waiting.until(() -> stored.size() == 20);
    assertThat(stored).doesNotHaveDuplicates();
  }

  /** Prices for all who listen; an archive that is shared; a screen that may miss some. */
  @Test
  void publishAndSubscribe() throws Exception {
    Topic<String> prices = Topic.of("prices", Codecs.utf8());
    Collection<String> europe = new CopyOnWriteArrayList<>();
    Collection<String> archived = new CopyOnWriteArrayList<>();
    Collection<String> drawn = new CopyOnWriteArrayList<>();
    CountDownLatch shown = new CountDownLatch(1);
    ready(messaging.subscribe(
        prices.named("prices.eu.*"), price -> europe.add(price.address() + " " + price.payload())));
    Subscription archive = ready(messaging
        .worker(prices.named("prices.#").group("archive"))
        .concurrency(4)
        .start(price -> archived.add(price.payload() + price.message().key().orElse(""))));
    Subscription screen = ready(messaging
        .subscriber(prices.named("prices.#"))
        .buffer(1)
        .overflow(Overflow.DROP_OLDEST)
        .start(price -> {
          drawn.add(price.payload());
          shown.await();
        }));

    archive.pause();
    result(messaging.publish(prices.named("prices.eu.paris"), "17.20"));
    for (int i = 0; i < 100; i++) {
      result(messaging.publish(prices.named("prices.us.boston"), "18." + i));
    }
    result(messaging.publishMessage(
        prices.named("prices.us.boston"),
        Message.of("19.01").withKey("boston").withHeader("source", "NYSE")));
    assertThat(archived).isEmpty();
    archive.resume();
    Waiting.until(() -> archived.size() == 102);
    shown.countDown();
    Waiting.until(() -> drawn.contains("19.01") && !europe.isEmpty());

    assertThat(europe).containsExactly("prices.eu.paris 17.20");
    assertThat(archived).contains("17.20", "18.0", "18.99", "19.01boston").doesNotHaveDuplicates();
    assertThat(screen.counters().dropped()).isEqualTo(102 - drawn.size());
    assertThat(messaging.counters().dropped()).isEqualTo(screen.counters().dropped());
  }

  /** Questions and answers: many under way at once, each with an end. */
  @Test
  void requestAndReply() throws Exception {
    Subject<String, String> capitals = Subject.of("capitals", Codecs.utf8(), Codecs.utf8());
    Duration timeout = Duration.ofSeconds(10);
    assertThat(failure(messaging.request(capitals, "France", timeout)))
        .isInstanceOf(NobodyListensException.class)
        .hasMessageContaining("capitals");

    CountDownLatch never = new CountDownLatch(1);
    ready(messaging
        .replier(capitals)
        .concurrency(16)
        .start(question -> switch (question.payload()) {
          case "France" -> "Paris";
          case "Peru" -> "Lima";
          case "Ruritania" -> {
            never.await();
            yield "late";
          }
          default -> throw new IllegalArgumentException("no such country: " + question.payload());
        }));
    CompletableFuture<String> france = messaging.request(capitals, "France", timeout);
    CompletableFuture<String> peru = messaging.request(capitals, "Peru", timeout);
    assertThat(result(france)).isEqualTo("Paris");
    assertThat(result(peru)).isEqualTo("Lima");
    Message<String> reply = result(messaging.requestMessage(
        capitals, Message.of("Peru").withHeader("language", "qu").withId("17"), timeout));
    assertThat(reply.payload()).isEqualTo("Lima");
    assertThat(reply.correlationId()).contains("17");

    assertThat(failure(messaging.request(capitals, "Atlantis", timeout)))
        .isInstanceOf(RequestFailedException.class)
        .hasMessageContaining("no such country: Atlantis");
    assertThat(failure(messaging.request(capitals, "Ruritania", Duration.ofMillis(50))))
        .isInstanceOf(TimeoutException.class);
    CompletableFuture<String> cancelled = messaging.request(capitals, "Ruritania", timeout);
    cancelled.cancel(true);
    Waiting.until(() -> messaging.counters().pending() == 0);
    never.countDown();
    Waiting.until(() -> messaging.counters().lateReplies() >= 1);
    assertThat(messaging.counters().timedOut()).isEqualTo(1);
  }

  /** Readings of a sensor: what is lost is not worth waiting for, but it is counted. */
  @Test
  void sendAndReceive() throws Exception {
    Signal<byte[]> readings = Signal.of("readings", Codecs.bytes());
    assertThat(messaging.send(readings, new byte[8])).isFalse(); // nobody is there
    AtomicInteger received = new AtomicInteger();
    ready(messaging.receive(readings, reading -> {
      ByteBuffer.wrap(reading.payload()).getDouble();
      received.incrementAndGet();
    }));

    int dropped = 1;
    for (int i = 0; i < 50_000; i++) {
      byte[] reading = ByteBuffer.allocate(8).putDouble(20 + i % 10).array();
      if (!messaging.send(readings, reading)) {
        dropped++;
      }
    }
    Waiting.until(() -> received.get() + messaging.counters().dropped() == 50_001);
    assertThat(messaging.counters().dropped()).isGreaterThanOrEqualTo(dropped);
    assertThat(messaging.guarantees(Guarantees.Pattern.FIRE_AND_FORGET).delivery())
        .isEqualTo(Guarantees.DeliveryPromise.AT_MOST_ONCE);
  }

  @Test
  void declarationIsKeptAndChangedOnPurpose() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("jobs", Codecs.utf8());
    WorkQueue<String> other =
        queue.toBuilder().handlerTimeout(Duration.ofMinutes(3)).build();
    messaging.declare(queue);
    messaging.push(queue, "1");

    assertThatThrownBy(() -> messaging.declare(other))
        .isInstanceOf(ConflictingDeclarationException.class)
        .hasMessageContaining("PT3M")
        .hasMessageContaining("PT30S");
    messaging.redeclare(other);
    messaging.push(other, "2");
    List<QueueStatus> status = result(messaging.queues().toCompletableFuture());
    assertThat(status).extracting(QueueStatus::waiting).containsExactly(2L);
    result(messaging.delete(other).toCompletableFuture());
    assertThat(result(messaging.queues().toCompletableFuture())).isEmpty();
    result(messaging.push(other, "3")); // declares it again
    assertThat(result(messaging.queues().toCompletableFuture())).hasSize(1);
  }

  /** A request in a handler of the same Messaging: no deadlock with one handler at a time. */
  @Test
  void handlersMaySendAndAsk() throws Exception {
    Subject<String, String> twice = Subject.of("twice", Codecs.utf8(), Codecs.utf8());
    WorkQueue<String> in = WorkQueue.of("in", Codecs.utf8());
    WorkQueue<String> async = WorkQueue.of("async", Codecs.utf8());
    WorkQueue<String> out = WorkQueue.of("out", Codecs.utf8());
    Collection<String> got = new CopyOnWriteArrayList<>();
    ready(messaging
        .replier(twice)
        .concurrency(1)
        .start(request -> request.payload() + request.payload()));
    messaging.pull(
        in,
        job -> messaging
            .push(out, messaging.request(twice, job.payload(), PATIENCE).get())
            .get());
    messaging
        .worker(async)
        .startAsync(job -> messaging
            .request(twice, job.payload(), PATIENCE)
            .thenCompose(reply -> messaging.push(out, "async " + reply)));
    messaging.pull(out, job -> got.add(job.payload()));

    messaging.push(in, "ab");
    messaging.push(async, "cd");

    Waiting.until(() -> got.size() == 2);
    assertThat(got).containsExactlyInAnyOrder("abab", "async cdcd");
  }

  /** Handlers under way may go on to send and ask while all else is refused. */
  @Test
  void stopLetsHandlersFinishTheirSends() throws Exception {
    Subject<String, String> echo = Subject.of("echo", Codecs.utf8(), Codecs.utf8());
    WorkQueue<String> in = WorkQueue.of("in", Codecs.utf8());
    WorkQueue<String> async = WorkQueue.of("async", Codecs.utf8());
    WorkQueue<String> out = WorkQueue.of("out", Codecs.utf8());
    CountDownLatch inside = new CountDownLatch(2);
    CountDownLatch go = new CountDownLatch(1);
    Collection<String> done = new CopyOnWriteArrayList<>();
    ready(messaging.reply(echo, request -> {
      go.await();
      return request.payload();
    }));
    messaging.pull(in, job -> {
      inside.countDown();
      go.await();
      String reply = messaging.request(echo, job.payload(), PATIENCE).get();
      messaging.push(out, reply).get();
      done.add(reply);
    });
    messaging.worker(async).startAsync(job -> {
      inside.countDown();
      return messaging
          .request(echo, job.payload(), PATIENCE)
          .thenCompose(reply -> messaging.push(out, reply))
          .thenCompose(none -> messaging.push(out, "again"))
          .thenRun(() -> done.add("async"));
    });
    messaging.push(in, "x");
    messaging.push(async, "y");
    assertThat(inside.await(20, TimeUnit.SECONDS)).isTrue();

    CompletableFuture<StopReport> stop =
        CompletableFuture.supplyAsync(() -> messaging.stop(PATIENCE));
    Waiting.until(() -> !messaging.health().up());
    assertThatThrownBy(() -> messaging.push(in, "refused")).hasMessage("messaging is closed");
    go.countDown();

    assertThat(result(stop).interrupted()).isZero();
    assertThat(done).containsExactlyInAnyOrder("x", "async");
    assertThat(messaging.counters().failed()).isZero();
  }

  @Test
  void closeInAHandlerDoesNotWaitForItself() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("jobs", Codecs.utf8());
    CompletableFuture<String> handled = new CompletableFuture<>();
    Subscription worker = messaging.pull(queue, job -> {
      messaging.close();
      handled.complete(job.payload());
    });
    messaging.push(queue, "x");

    assertThat(result(handled)).isEqualTo("x");
    messaging.close(); // waits for the stop that the handler has begun
    assertThat(worker.counters().acknowledged()).isEqualTo(1);
    assertThatThrownBy(() -> messaging.push(queue, "y")).hasMessage("messaging is closed");
  }
}
