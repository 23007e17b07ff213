package dev.mullion.messaging.kafka;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.jspecify.annotations.Nullable;

/**
 * Sends records that are answered. The client's own {@code send} can block, for the metadata of a
 * topic or for memory, so it is called on a thread of its own, which keeps the order. What waits is
 * bounded by the sends and deliveries that are open.
 */
final class Sender {
  private static final int EXPLAIN_MILLIS = 1000;
  private static final long LONGEST_PAUSE_NANOS = 1_000_000_000;

  private final Settings settings;
  private final Admin admin;
  private final Errors errors;
  private final KnownTopics known;
  private final Producer<byte[], byte[]> producer;
  private final Queue<Item> waiting = new ConcurrentLinkedQueue<>();
  private volatile boolean idle; // the thread waits for an item
  private final AtomicBoolean closed = new AtomicBoolean();
  private final Thread thread;
  private @Nullable Answer passing; // of the thread: whose record the client is taking

  /** Takes the answer to a record: null if it was accepted. Called on a thread of the client. */
  interface Answer extends Callback {
    void answered(long offset, @Nullable Throwable error);

    /** Answers once, whatever is thrown: others wait for their answers on the same thread. */
    default void tell(long offset, @Nullable Throwable error) {
      try {
        answered(offset, error);
      } catch (Throwable e) {
        Logs.warn("sender", "an answer to a message failed", e);
      }
    }

    /** The client keeps an answer until it comes, and so not the record with its payload. */
    @Override
    default void onCompletion(@Nullable RecordMetadata metadata, @Nullable Exception error) {
      tell(error == null && metadata != null ? metadata.offset() : -1, error);
    }
  }

  /** Passes on the first of two: a client that fails can throw, and call back later too. */
  private static final class Once implements Answer {
    private final Answer to;
    private final AtomicBoolean answered = new AtomicBoolean();

    Once(Answer to) {
      this.to = to;
    }

    @Override
    public void answered(long offset, @Nullable Throwable error) {
      if (answered.compareAndSet(false, true)) {
        to.answered(offset, error);
      }
    }
  }

  /** What a user's record is sent for. */
  interface Purpose {
    /** Returns what fails if it fails, such as {@code a push to queue invoices}. */
    String text();

    /** Takes notice that the topic is missing, before the user does. */
    default void missing() {}
  }

  private record Item(ProducerRecord<byte[], byte[]> record, Answer answer, long since) {}

  /** The stage of a user's record, which is its answer itself: there are very many of them. */
  private final class Sent extends CompletableFuture<Void> implements Answer {
    private final String topic;
    private final Purpose purpose;

    Sent(String topic, Purpose purpose) {
      this.topic = topic;
      this.purpose = purpose;
    }

    @Override
    public void answered(long offset, @Nullable Throwable error) {
      boolean maybeAccepted = error != null && !isRefused(this, error);
      if (error == null) {
        complete(null);
      } else if (Errors.isUnexplained(Errors.cause(error))) {
        explain(error, maybeAccepted);
      } else {
        fail(told(error, maybeAccepted));
      }
    }

    /** The client retries for its whole time if topic or broker are gone: asks which it is. */
    private void explain(Throwable timeout, boolean maybeAccepted) {
      try {
        admin
            .describeTopics(List.of(topic), new DescribeTopicsOptions().timeoutMs(EXPLAIN_MILLIS))
            .allTopicNames()
            .whenComplete((found, error) -> {
              boolean missing = error != null && Errors.isMissing(Errors.cause(error));
              fail(
                  missing
                      ? errors.of(Errors.cause(error), purpose.text(), maybeAccepted)
                      : told(timeout, maybeAccepted));
            });
      } catch (Throwable e) { // of a closed client
        fail(told(timeout, maybeAccepted));
      }
    }

    /** Returns the error for a user; that of a closed client is no failure of the broker. */
    private Throwable told(Throwable error, boolean maybeAccepted) {
      if (error instanceof IllegalStateException && closed.get()) { // before it was sent
        return KafkaLink.ended();
      }
      return closed.get() && !(error instanceof MessagingException)
          ? new KafkaFailedException(
              purpose.text() + ": messaging was closed before Kafka at " + errors.servers()
                  + " had answered",
              error,
              maybeAccepted)
          : errors.of(error, purpose.text(), maybeAccepted);
    }

    void fail(Throwable error) {
      try {
        if (error instanceof MissingAddressException) {
          purpose.missing();
        }
      } finally {
        completeExceptionally(error);
      }
    }

    /** Stages that are derived from it are plain ones. */
    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
      return new CompletableFuture<>();
    }
  }

  Sender(Settings settings, Admin admin, Errors errors, KnownTopics known) {
    this(settings, admin, errors, known, settings.producer(true));
  }

  Sender(
      Settings settings,
      Admin admin,
      Errors errors,
      KnownTopics known,
      Producer<byte[], byte[]> producer) {
    this.settings = settings;
    this.admin = admin;
    this.errors = errors;
    this.known = known;
    this.producer = producer;
    this.thread = new Thread(this::run, "mullion-kafka-sender");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Sends a user's record; its stage completes when all replicas have it, on a thread of the
   * client. An oversized one is rejected here: the topics of queues have room for its copies.
   */
  CompletableFuture<Void> send(ProducerRecord<byte[], byte[]> message, Purpose purpose) {
    Sent sent = new Sent(message.topic(), purpose);
    long size = Records.size(message);
    if (size <= settings.maxMessageBytes()) {
      add(message, sent);
    } else {
      sent.fail(new MessageTooLargeException(purpose.text() + ": " + size
          + " bytes with headers (expected: <= KafkaEngine.Builder.maxMessageBytes "
          + settings.maxMessageBytes() + "; Kafka at " + settings.servers() + ")"));
    }
    return sent;
  }

  /** Sends a record; the answer comes on a thread that must not be held up. */
  void send(ProducerRecord<byte[], byte[]> message, Answer answer) {
    add(message, new Once(answer));
  }

  private void add(ProducerRecord<byte[], byte[]> message, Answer answer) {
    if (closed.get()) {
      answer.tell(-1, KafkaLink.ended());
      return;
    }
    waiting.add(new Item(message, answer, System.nanoTime()));
    if (idle) {
      idle = false; // one call is enough
      LockSupport.unpark(thread);
    }
    if (closed.get()) {
      failWaiting();
    }
  }

  /** Sends a record and waits for the answer; returns its offset. */
  long sendNow(ProducerRecord<byte[], byte[]> message, String what) throws MessagingException {
    CompletableFuture<Long> done = new CompletableFuture<>();
    send(message, (offset, error) -> {
      if (error == null) {
        done.complete(offset);
      } else {
        done.completeExceptionally(error);
      }
    });
    try {
      return done.get(settings.requestTimeout().toMillis(), TimeUnit.MILLISECONDS);
    } catch (Exception e) { // whatever it is, told apart there
      throw errors.of(e, what, true);
    }
  }

  private void run() {
    while (!closed.get() || !waiting.isEmpty()) {
      Item item = waiting.poll();
      if (item != null) {
        pass(item);
      } else {
        awaitItem();
      }
      if (Thread.interrupted()) { // by close
        failWaiting();
      }
    }
  }

  private void awaitItem() {
    idle = true;
    if (waiting.isEmpty() && !closed.get()) {
      LockSupport.parkNanos(this, LONGEST_PAUSE_NANOS);
    }
    idle = false;
  }

  private void pass(Item item) {
    passing = item.answer;
    try {
      check(item);
      producer.send(item.record, item.answer);
    } catch (Throwable e) { // too late, too large, or messaging closes
      item.answer.tell(-1, e);
    } finally {
      passing = null;
    }
  }

  /**
   * Returns whether a record surely was not accepted. That is so while its client takes it, unless
   * the client failed: it tells this once the record is in a batch, which may still be sent.
   */
  private boolean isRefused(Answer answer, Throwable error) {
    return Thread.currentThread() == thread && passing == answer && Errors.isBeforeBatch(error);
  }

  private void check(Item item) throws BrokerAwayException {
    if (System.nanoTime() - item.since > settings.deliveryTimeout().toNanos()) {
      throw new BrokerAwayException(
          "Kafka at " + errors.servers() + " took no message for deliveryTimeout "
              + settings.deliveryTimeout(),
          null,
          false);
    }
    String topic = item.record.topic();
    if (known.isMissing(topic)) { // the client would hold up all others while it looks for it
      throw new UnknownTopicOrPartitionException("no topic " + topic);
    }
  }

  private void failWaiting() {
    for (Item item = waiting.poll(); item != null; item = waiting.poll()) {
      item.answer.tell(-1, KafkaLink.ended());
    }
  }

  Producer<byte[], byte[]> producer() {
    return producer;
  }

  /** Waits for the answers, within the bound. */
  void close(Duration timeout) {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    long end = System.nanoTime() + timeout.toNanos();
    LockSupport.unpark(thread);
    try {
      thread.join(Math.max(1, timeout.toMillis() / 2));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    thread.interrupt();
    long left = Math.max(0, end - System.nanoTime());
    boolean interrupted = Thread.interrupted(); // the client's close would give up
    try {
      producer.close(Duration.ofNanos(left));
    } catch (RuntimeException e) {
      Logs.warn("close", "the producer failed to close", e);
    } finally {
      failWaiting();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
