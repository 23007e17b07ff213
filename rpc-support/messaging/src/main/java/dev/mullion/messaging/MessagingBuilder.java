package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.engine.Engine;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** The settings of a {@link Messaging}. */
public final class MessagingBuilder {
  final Engine engine;
  final List<MessagingObserver> observers = new ArrayList<>();
  Duration sendTimeout = Duration.ofSeconds(10);
  Duration stopTimeout = Duration.ofSeconds(30);
  int maxPending = 1024;
  long maxPendingBytes = 64L << 20;
  int maxMessageSize = 1 << 20;
  int maxHandlerThreads = 256;

  @Nullable
  Executor handlerExecutor;

  MessagingListener listener = ListenerCalls.NONE;

  MessagingBuilder(Engine engine) {
    this.engine = requireNonNull(engine, "engine");
  }

  /** Sets how long publish, push and request wait for room: 10 s by default. */
  public MessagingBuilder sendTimeout(Duration sendTimeout) {
    this.sendTimeout = Arguments.notNegative(sendTimeout, "sendTimeout");
    return this;
  }

  /** Sets how many sends may be without an answer: 1,024 by default. */
  public MessagingBuilder maxPending(int maxPending) {
    this.maxPending = Arguments.within(maxPending, 1, 1_000_000, "maxPending");
    return this;
  }

  /** Sets how many payload bytes may be in sends without an answer: 64 MiB by default. */
  public MessagingBuilder maxPendingBytes(long maxPendingBytes) {
    this.maxPendingBytes = Arguments.atLeast(maxPendingBytes, 1, "maxPendingBytes");
    return this;
  }

  /**
   * Sets the greatest size of a message, encoded payload and headers together, in bytes: 1 MiB by
   * default. A larger message fails with {@link MessageTooLargeException}.
   */
  public MessagingBuilder maxMessageSize(int maxMessageSize) {
    this.maxMessageSize =
        Arguments.within(maxMessageSize, 1, Integer.MAX_VALUE - 1024, "maxMessageSize");
    return this;
  }

  /**
   * Sets the greatest number of threads for blocking handlers on a JDK without virtual threads: 256
   * by default. Messages that wait for a thread are counted. Ignored with virtual threads or an
   * executor.
   */
  public MessagingBuilder maxHandlerThreads(int maxHandlerThreads) {
    this.maxHandlerThreads = Arguments.within(maxHandlerThreads, 1, 100_000, "maxHandlerThreads");
    return this;
  }

  /**
   * Runs blocking handlers on this executor, which stays open when the {@code Messaging} closes.
   * If it runs tasks on its caller's thread, that is one of the threads that handlers have without
   * an executor, never a sender's or the engine's.
   */
  public MessagingBuilder handlerExecutor(Executor handlerExecutor) {
    this.handlerExecutor = requireNonNull(handlerExecutor, "handlerExecutor");
    return this;
  }

  /** Sets who is notified of drops, failures and lost connections. */
  public MessagingBuilder listener(MessagingListener listener) {
    this.listener = requireNonNull(listener, "listener");
    return this;
  }

  /** Adds an observer of each message, such as {@link MessagingTraces}. */
  public MessagingBuilder observe(MessagingObserver observer) {
    observers.add(requireNonNull(observer, "observer"));
    return this;
  }

  /** Sets how long {@link Messaging#close} waits for handlers: 30 s by default. */
  public MessagingBuilder stopTimeout(Duration stopTimeout) {
    this.stopTimeout = Arguments.notNegative(stopTimeout, "stopTimeout");
    return this;
  }

  /**
   * Connects and starts.
   *
   * @throws MessagingException if the engine cannot be reached or does not start
   * @throws IllegalStateException if a message of {@code maxMessageSize} would never have room
   */
  public Messaging start() throws MessagingException {
    if (maxPendingBytes < maxMessageSize) {
      throw new IllegalStateException("maxPendingBytes: " + maxPendingBytes
          + " (expected: >= maxMessageSize, " + maxMessageSize + ")");
    }
    return RunningMessaging.start(copy());
  }

  /** What is set later is for the next start. */
  private MessagingBuilder copy() {
    MessagingBuilder copy = new MessagingBuilder(engine);
    copy.observers.addAll(observers);
    copy.sendTimeout = sendTimeout;
    copy.stopTimeout = stopTimeout;
    copy.maxPending = maxPending;
    copy.maxPendingBytes = maxPendingBytes;
    copy.maxMessageSize = maxMessageSize;
    copy.maxHandlerThreads = maxHandlerThreads;
    copy.handlerExecutor = handlerExecutor;
    copy.listener = listener;
    return copy;
  }
}
