package dev.mullion.messaging;

import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.engine.Engine;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * The four communication patterns on one engine. The verb tells the guarantee, and {@link
 * #guarantees} has it as a value:
 *
 * <pre>{@code
 *  sender     receiver    address         promise
 *  -------------------------------------------------------------------------------------
 *  request    reply       Subject<Q, R>   at most once; a reply, or an error
 *  publish    subscribe   Topic<T>        each live subscriber, at most once
 *  publish    pull        Topic.group     each group, at least once
 *  push       pull        WorkQueue<T>    one worker, at least once; then a dead letter
 *  send       receive     Signal<T>       one receiver, at most once; never waits
 * }</pre>
 *
 * <pre>{@code
 * static final WorkQueue<String> INVOICES = WorkQueue.of("invoices", Codecs.utf8());
 *
 * try (Messaging messaging = Messaging.embedded()) {
 *   messaging.pull(INVOICES, job -> print(job.payload()));
 *   messaging.push(INVOICES, "invoice 1").get();
 * }
 * }</pre>
 *
 * <p>One for each program is enough; several threads may use it at once. Memory is bounded although
 * results are futures: at most {@code maxPending} sends may be without an answer. Then the sender's
 * call waits for room, for up to {@code sendTimeout}, and its future fails with {@link
 * QueueFullException}. {@link #send} never waits, and neither does a send from inside an
 * asynchronous handler: its future fails at once. Continuations of a future that is not yet
 * complete run on a thread of their own, never on a thread of the engine; those that block for long
 * belong on an executor of yours ({@code thenRunAsync}), since these threads are few.
 *
 * <p>Each sending verb takes a payload. Its twin ({@link #publishMessage}, {@link #pushMessage},
 * {@link #requestMessage}, {@link #sendMessage}) takes a {@link Message}, with headers, a key and
 * so on. They are no overloads, so that a call means the same whatever the payload's type is. A
 * payload is never itself a {@code Message}: where the compiler cannot tell, as with a {@code
 * Topic<Object>}, an {@code IllegalArgumentException} does.
 *
 * <p>After {@link #close}, sends and new subscriptions throw {@code IllegalStateException}.
 */
public interface Messaging extends AutoCloseable {

  /** Starts with a new engine in memory. */
  static Messaging embedded() {
    try {
      return on(EmbeddedEngine.inMemory());
    } catch (MessagingException e) {
      throw new AssertionError("an engine in memory always starts", e);
    }
  }

  /**
   * Starts with the defaults.
   *
   * @throws MessagingException if the engine cannot be reached or does not start
   */
  static Messaging on(Engine engine) throws MessagingException {
    return builder(engine).start();
  }

  /** Returns a builder. */
  static MessagingBuilder builder(Engine engine) {
    return new MessagingBuilder(engine);
  }

  /**
   * Publishes a payload to all subscribers and groups of a topic. The future completes when the
   * engine has accepted the message, as strongly as {@link #guarantees} says; without any
   * subscriber it completes too.
   *
   * @throws IllegalArgumentException if the topic is a pattern
   */
  default <T> CompletableFuture<Void> publish(Topic<T> topic, T payload) {
    return publishMessage(topic, Message.of(payload));
  }

  /** Publishes a message as {@link #publish} does its payload. */
  <T> CompletableFuture<Void> publishMessage(Topic<T> topic, Message<? extends T> message);

  /** Starts a live subscriber with the defaults. */
  default <T> Subscription subscribe(Topic<T> topic, Handler<T> handler) throws MessagingException {
    return subscriber(topic).start(handler);
  }

  /** Returns a builder of a live subscriber. */
  <T> SubscriberBuilder<T> subscriber(Topic<T> topic);

  /**
   * Pushes a payload to a queue. Once the future has completed, it is handled at least once, or
   * becomes a dead letter.
   *
   * @throws IllegalArgumentException if the queue is a group, which only its topic feeds
   */
  default <T> CompletableFuture<Void> push(WorkQueue<T> queue, T payload) {
    return pushMessage(queue, Message.of(payload));
  }

  /** Pushes a message as {@link #push} does its payload. */
  <T> CompletableFuture<Void> pushMessage(WorkQueue<T> queue, Message<? extends T> message);

  /** Starts a worker with the defaults. */
  default <T> Subscription pull(WorkQueue<T> queue, Handler<T> handler) throws MessagingException {
    return worker(queue).start(handler);
  }

  /** Returns a builder of a worker of a queue or group. */
  <T> WorkerBuilder<T> worker(WorkQueue<T> queue);

  /**
   * Declares a queue or group before anyone pulls: what is sent from then on is kept for it.
   *
   * @throws ConflictingDeclarationException if it is declared with other settings; {@link
   *     #redeclare} changes them on purpose
   * @throws UnsupportedSettingException if the engine's {@link Guarantees} exclude one
   */
  void declare(WorkQueue<?> queue) throws MessagingException;

  /**
   * Declares a queue or group with new settings in place of its earlier ones; its messages stay.
   * Workers and senders that still use the earlier settings are rejected when they next start.
   *
   * @throws UnsupportedSettingException if the engine's {@link Guarantees} exclude one
   */
  void redeclare(WorkQueue<?> queue) throws MessagingException;

  /** Deletes a queue or group with its messages, dead letters and declaration. */
  CompletionStage<Void> delete(WorkQueue<?> queue);

  /** Returns the dead letters of a queue or group. */
  DeadLetters deadLetters(WorkQueue<?> queue);

  /** Returns the state of all queues and groups of the engine. */
  CompletionStage<List<QueueStatus>> queues();

  /**
   * Sends a payload as a request; the future has the reply's payload. It fails with {@link
   * NobodyListensException}, {@link RequestFailedException}, {@link UndecodableMessageException},
   * or after the timeout with {@link java.util.concurrent.TimeoutException}. To cancel the future
   * cancels the request.
   */
  default <Q, R> CompletableFuture<R> request(Subject<Q, R> subject, Q payload, Duration timeout) {
    return Requests.payload(requestMessage(subject, Message.of(payload), timeout));
  }

  /** Sends a message as {@link #request} does its payload; the future has the whole reply. */
  <Q, R> CompletableFuture<Message<R>> requestMessage(
      Subject<Q, R> subject, Message<? extends Q> message, Duration timeout);

  /** Starts a replier with the defaults. */
  default <Q, R> Subscription reply(Subject<Q, R> subject, Replier<Q, R> replier)
      throws MessagingException {
    return replier(subject).start(replier);
  }

  /** Returns a builder of a replier. */
  <Q, R> ReplierBuilder<Q, R> replier(Subject<Q, R> subject);

  /**
   * Sends a payload without waiting for anything. Never throws for a receiver that is full or gone.
   *
   * @return false if the message is already known to be dropped; it is counted
   */
  default <T> boolean send(Signal<T> signal, T payload) {
    return sendMessage(signal, Message.of(payload));
  }

  /** Sends a message as {@link #send} does its payload. */
  <T> boolean sendMessage(Signal<T> signal, Message<? extends T> message);

  /** Starts a receiver with the defaults. */
  default <T> Subscription receive(Signal<T> signal, Handler<T> handler) throws MessagingException {
    return receiver(signal).start(handler);
  }

  /** Returns a builder of a receiver. */
  <T> SubscriberBuilder<T> receiver(Signal<T> signal);

  /** Returns what the engine promises for a pattern. */
  Guarantees guarantees(Pattern pattern);

  /** Returns the counts since the start. */
  MessagingCounters counters();

  /** Returns whether the engine can be reached now. */
  Health health();

  /**
   * Stops gracefully: no new deliveries and sends from outside, then handlers finish (they may
   * still send and request), then repliers, pending sends and outcomes, then the connection. What
   * is not done at the timeout is interrupted and given back. A second call waits for the first
   * one. A call from inside a handler, for which the stop waits, only begins it and returns a
   * report of zeros.
   */
  StopReport stop(Duration timeout);

  /** Stops with the {@code stopTimeout} of the builder, 30 s by default. */
  @Override
  void close();
}
