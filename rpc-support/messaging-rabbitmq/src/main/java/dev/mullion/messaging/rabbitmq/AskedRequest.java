package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Envelope;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Settlement;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;

/** A request that the broker has handed out. */
final class AskedRequest implements RawDelivery.Request {
  private static final Duration NO_LIMIT = Duration.ofDays(365);

  final Session session;
  private final RabbitMqLink link;
  private final Channel channel;
  private final long tag;
  private final String address;
  private final BasicProperties properties;
  private final Message<byte[]> message;
  private final long arrived = System.nanoTime();
  private final Duration left;
  private final AtomicBoolean settled = new AtomicBoolean();

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
  public Message<byte[]> message() {
    return message;
  }

  @Override
  public String address() {
    return address;
  }

  @Override
  public int failures() {
    return 0;
  }

  @Override
  public int losses() {
    return 0;
  }

  @Override
  public Duration timeLeft() {
    return left.minusNanos(System.nanoTime() - arrived);
  }

  @Override
  public long id() {
    return tag;
  }

  @Override
  public CompletionStage<Void> extend(Duration time) {
    return CompletableFuture.completedFuture(null);
  }

  /** Accepts it, or puts it back for another replier. */
  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    if (!settled.compareAndSet(false, true) || session.isOver()) {
      return Job.LEASE_LOST;
    }
    try {
      if (outcome instanceof Outcome.GiveBack) {
        channel.basicReject(tag, true);
      } else {
        channel.basicAck(tag, false);
      }
      return Job.APPLIED;
    } catch (IOException | RuntimeException e) {
      return Job.LEASE_LOST;
    }
  }

  @Override
  public CompletionStage<Void> reply(Reply reply) {
    String to = properties.getReplyTo();
    if (to == null) {
      return CompletableFuture.completedFuture(null); // a plain client that wants none
    }
    return link.publisher()
        .publish(Publication.reply(
            to, Requests.reply(reply, properties.getCorrelationId()), session));
  }
}
