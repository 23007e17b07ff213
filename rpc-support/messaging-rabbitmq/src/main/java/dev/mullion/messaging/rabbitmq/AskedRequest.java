package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Envelope;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;

/** A request that the broker has handed out. */
final class AskedRequest implements RawDelivery.Request, Fetched {
  private static final Duration NO_LIMIT = Duration.ofDays(365);

  private final Session session;
  private final RabbitMqLink link;
  private final Channel channel;
  private final long tag;
  private final String address;
  private final BasicProperties properties;
  private final Message<byte[]> message;
  private final long arrived = System.nanoTime();
  private final Duration left;
  private final AtomicBoolean settled = new AtomicBoolean();
  private final AtomicBoolean acknowledged = new AtomicBoolean();

  AskedRequest(
      RabbitMqLink link,
      Session session,
      Channel channel,
      Envelope envelope,
      String address,
      BasicProperties properties,
      byte[] body) {
    this.link = link;
    this.session = session;
    this.channel = channel;
    this.tag = envelope.getDeliveryTag();
    this.address = address;
    this.properties = properties;
    this.message = Requests.message(properties, body);
    this.left = left(Wire.headers(properties));
  }

  /**
   * Returns the time that is left of the caller's. How long it was on its way is known if the
   * clocks of both agree; where they obviously do not, it counts from its arrival.
   */
  private static Duration left(Map<String, Object> headers) {
    long timeout = Wire.number(headers, Wire.TIMEOUT, -1);
    if (timeout < 0) {
      return NO_LIMIT;
    }
    long travelled = System.currentTimeMillis() - Wire.number(headers, Wire.SENT, 0);
    boolean isPlausible = travelled >= 0 && travelled <= timeout;
    return Duration.ofMillis(isPlausible ? timeout - travelled : timeout);
  }

  @Override
  public Session session() {
    return session;
  }

  @Override
  public Channel channel() {
    return channel;
  }

  @Override
  public CompletionStage<Settlement> giveBack() {
    return settle(new Outcome.GiveBack(false));
  }

  @Override
  public Message<byte[]> message() {
    return message;
  }

  @Override
  public String address() {
    return address;
  }

  @Override
  public Duration timeLeft() {
    return left.minusNanos(System.nanoTime() - arrived);
  }

  @Override
  public long id() {
    return tag;
  }

  /**
   * Accepts it, or passes it on to another replier. The broker keeps an accepted one until its
   * reply: if this process dies, the next replier that gets it tells the caller that it was lost.
   */
  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    if (!settled.compareAndSet(false, true) || session.isOver()) {
      return Job.LEASE_LOST;
    }
    if (outcome instanceof Outcome.GiveBack) {
      return passOn();
    }
    boolean isLate = timeLeft().compareTo(Duration.ZERO) <= 0; // then no reply follows
    return isLate ? acknowledged() : Job.APPLIED;
  }

  /** Publishes a copy: one that the broker hands out again would count as lost. */
  private CompletionStage<Settlement> passOn() {
    Duration remaining = timeLeft();
    if (remaining.compareTo(Duration.ZERO) <= 0) {
      return acknowledged();
    }
    Wire.Outgoing copy = new Wire.Outgoing(properties, message.payload());
    if (remaining.compareTo(NO_LIMIT) < 0) {
      copy.expiresAfter(remaining);
    }
    return link.publisher()
        .publish(Publication.copy(link.entities().subject(address), copy, this::isHeld))
        .handleAsync(
            (none, error) -> acknowledge() // if nobody else is there, its time passes
                ? Settlement.APPLIED
                : Settlement.LEASE_LOST,
            link.settling());
  }

  private CompletionStage<Settlement> acknowledged() {
    return acknowledge() ? Job.APPLIED : Job.LEASE_LOST;
  }

  /** If it fails, the next replier tells the caller that it was lost, after this one's reply. */
  private boolean acknowledge() {
    return acknowledged.compareAndSet(false, true) && session.acknowledge(channel, tag);
  }

  /** Tells the caller that a replier was lost with it. */
  void lost() {
    settled.set(true);
    reply(Reply.error(tag, Reply.Status.LOST, "its replier's process or connection ended"));
  }

  @Override
  public CompletionStage<Void> reply(Reply reply) {
    String to = properties.getReplyTo();
    CompletionStage<Void> sent = to == null // a plain client that wants none
        ? CompletableFuture.completedFuture(null)
        : link.publisher()
            .publish(Publication.reply(
                to, Requests.reply(reply, properties.getCorrelationId()), () -> !session.isOver()));
    acknowledge();
    return sent;
  }
}
