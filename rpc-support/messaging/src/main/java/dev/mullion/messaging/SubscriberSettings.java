package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.SubscriptionPlan.UserCode;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Route;

/** The builder of subscribers of topics and of receivers of signals. */
final class SubscriberSettings<T> implements SubscriberBuilder<T> {
  private static final int MAX_BUFFER = 10_000_000;
  private static final int LARGE_BUFFER = 1024;
  private static final int PREFETCH = 128;

  private final Subscriptions subscriptions;
  private final Route route;
  private final MessageCodec<T> codec;
  private final Check check;
  private int concurrency = 1;
  private int buffer = 8192;
  private long bufferBytes = ConsumerSettings.DEFAULT_BUFFER_BYTES;
  private Overflow overflow = Overflow.DROP_OLDEST;

  /** Checks the policy against what the engine can do. */
  @FunctionalInterface
  private interface Check {
    void check(Overflow overflow) throws UnsupportedSettingException;
  }

  private SubscriberSettings(
      Subscriptions subscriptions, Route route, MessageCodec<T> codec, Check check) {
    this.subscriptions = subscriptions;
    this.route = route;
    this.codec = codec;
    this.check = check;
  }

  static <T> SubscriberSettings<T> of(Subscriptions subscriptions, Topic<T> topic) {
    return new SubscriberSettings<>(
        subscriptions,
        topic.route(),
        topic.codec(),
        overflow -> subscriptions.supported().topic(topic, overflow));
  }

  static <T> SubscriberSettings<T> of(Subscriptions subscriptions, Signal<T> signal) {
    return new SubscriberSettings<>(
        subscriptions,
        new Route.Signal(signal.name()),
        signal.codec(),
        overflow -> subscriptions.supported().signal(signal, overflow));
  }

  @Override
  public SubscriberBuilder<T> concurrency(int concurrency) {
    this.concurrency =
        Arguments.within(concurrency, 1, SubscriptionPlan.MAX_CONCURRENCY, "concurrency");
    return this;
  }

  @Override
  public SubscriberBuilder<T> buffer(int messages) {
    this.buffer = Arguments.within(messages, 1, MAX_BUFFER, "buffer");
    return this;
  }

  @Override
  public SubscriberBuilder<T> bufferBytes(long bytes) {
    this.bufferBytes = Arguments.atLeast(bytes, 1, "bufferBytes");
    return this;
  }

  @Override
  public SubscriberBuilder<T> overflow(Overflow overflow) {
    this.overflow = requireNonNull(overflow, "overflow");
    return this;
  }

  @Override
  public Subscription start(Handler<T> handler) throws MessagingException {
    requireNonNull(handler, "handler");
    return start(false, UserCode.of(handler));
  }

  @Override
  public Subscription startAsync(AsyncHandler<T> handler) throws MessagingException {
    requireNonNull(handler, "handler");
    return start(true, UserCode.ofAsync(handler));
  }

  private Subscription start(boolean async, UserCode<T> code) throws MessagingException {
    check.check(overflow);
    int prefetch = prefetch();
    return subscriptions.start(new SubscriptionPlan<>(
        route,
        codec,
        new LiveRules<>(),
        code,
        async,
        false,
        concurrency,
        1,
        prefetch,
        buffer - prefetch,
        bufferBytes,
        overflow,
        null,
        false,
        false));
  }

  /**
   * Returns how much of the buffer is here and not in the engine. Of a large one enough to pass
   * messages on without asking for each. A small one that drops its oldest messages is all in the
   * engine, which alone can drop them; of others one message is here, to see how long it waits.
   */
  private int prefetch() {
    if (buffer >= LARGE_BUFFER) {
      return PREFETCH;
    }
    return overflow == Overflow.DROP_OLDEST || buffer == 1 ? 0 : 1;
  }
}
