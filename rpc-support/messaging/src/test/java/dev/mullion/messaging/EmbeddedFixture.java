package dev.mullion.messaging;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineEvents;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** An embedded broker with a clock that stands, used through its engine interface. */
final class EmbeddedFixture implements AutoCloseable {
  static final Outcome ACKNOWLEDGE = new Outcome.Acknowledge();
  static final Outcome GIVE_BACK = new Outcome.GiveBack(false);

  final ManualClock clock = new ManualClock();
  final EmbeddedBroker broker;
  final EngineLink link;
  final List<Reply> replies = new CopyOnWriteArrayList<>();

  EmbeddedFixture() {
    this(null);
  }

  EmbeddedFixture(@Nullable Store store) {
    try {
      broker = new EmbeddedBroker("embedded", clock, store);
      link = open(Duration.ofSeconds(10));
    } catch (MessagingException e) {
      throw new AssertionError(e);
    }
  }

  EngineLink open(Duration sendTimeout) throws MessagingException {
    return broker.open(new EngineContext(events(replies), Runnable::run, 1024, sendTimeout));
  }

  static EngineEvents events(List<Reply> replies) {
    return new EngineEvents() {
      @Override
      public void replied(Reply reply) {
        replies.add(reply);
      }

      @Override
      public void connectionLost(String where, Throwable cause) {}

      @Override
      public void connectionRestored(String where, Duration outage) {}
    };
  }

  static Route.Queue queue(String name) {
    return WorkQueue.of(name, Codecs.bytes()).route();
  }

  static WorkQueue.Builder<byte[]> builder(String name) {
    return WorkQueue.builder(name, Codecs.bytes());
  }

  static Message<byte[]> message(String text) {
    return Message.of(text.getBytes(UTF_8));
  }

  static Outcome redeliver(long millis) {
    return new Outcome.Redeliver(Duration.ofMillis(millis), "failed");
  }

  static Outcome bury(DeadLetter.Reason reason) {
    return new Outcome.Bury(reason, "buried");
  }

  Source consume(Route route, RecordingSink sink) throws MessagingException {
    return consume(route, sink, 8, Overflow.DROP_OLDEST);
  }

  Source consume(Route route, RecordingSink sink, int buffer, Overflow overflow)
      throws MessagingException {
    return link.consume(route, new ConsumerSettings(8, 8, buffer, overflow), sink);
  }

  void push(Route route, String... texts) throws Exception {
    for (String text : texts) {
      await(link.send(route, message(text)));
    }
  }

  /** Sends as {@code Messaging} does. */
  static CompletionStage<Void> send(EngineLink link, Route route, Message<byte[]> message) {
    CompletionStage<Void> sent = link.sendNow(route, message);
    return sent == null ? link.send(route, message) : sent;
  }

  static <T> T await(CompletionStage<T> stage) throws Exception {
    return stage.toCompletableFuture().get(10, TimeUnit.SECONDS);
  }

  static Settlement settle(dev.mullion.messaging.engine.RawDelivery delivery, Outcome outcome)
      throws Exception {
    return await(delivery.settle(outcome));
  }

  QueueStatus status(String name) throws Exception {
    return await(link.queues()).stream()
        .filter(each -> each.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @Override
  public void close() {
    link.close();
    broker.close();
  }
}
