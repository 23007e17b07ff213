package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.CreditBuffer;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * A live subscriber of a topic, or a receiver of a signal. What arrives without credit waits in a
 * buffer here; what does not fit is dropped and counted.
 *
 * <pre>
 *  topic     a queue of its own, exclusive, bound to the topics exchange
 *  signal    one queue for all receivers, which take turns; it goes with the last of them
 * </pre>
 */
final class LiveSource implements Restored {
  /** A queue without receivers goes after this time, even if none was ever there. */
  static final int EXPIRES_MILLIS = 60_000;

  private final RabbitMqLink link;
  private final Route route;
  private final CreditBuffer buffer;
  private final Sink sink;
  private final Object subscribing = new Object();
  private volatile @Nullable Channel channel;
  private volatile boolean cancelled;

  /** This is guarded by subscribing. */
  private @Nullable Session on;

  LiveSource(RabbitMqLink link, Route route, ConsumerSettings settings, Sink sink) {
    this.link = link;
    this.route = route;
    this.buffer = new CreditBuffer(sink, settings);
    this.sink = sink;
  }

  @Override
  public void subscribe(Session session) throws IOException {
    synchronized (subscribing) {
      if (cancelled || on == session) {
        return;
      }
      Channel opened = link.sources().open(this, session);
      channel = opened;
      Session.consume(opened, queue(opened), true, Map.of(), new DefaultConsumer(opened) {
        @Override
        public void handleDelivery(
            String consumer, Envelope envelope, BasicProperties properties, byte[] body) {
          arrived(envelope, properties, body);
        }

        @Override
        public void handleCancel(String consumer) {
          link.sources()
              .fail(
                  LiveSource.this,
                  new MissingAddressException("the queue of " + route + " was deleted (broker "
                      + link.engine().where() + ")"));
        }
      });
      on = session;
    }
  }

  private String queue(Channel opened) throws IOException {
    if (route instanceof Route.Topic topic) {
      String own = opened.queueDeclare("", false, true, true, Map.of()).getQueue();
      opened.queueBind(own, link.entities().topics(), topic.name());
      return own;
    }
    String shared = link.entities().signal(route.name());
    declareShared(opened, shared, link.creates());
    return shared;
  }

  /** Declares a queue that is there while anyone consumes from it. */
  static void declareShared(Channel channel, String name, boolean create) throws IOException {
    if (create) {
      channel.queueDeclare(name, true, false, true, Map.of("x-expires", EXPIRES_MILLIS));
    } else {
      channel.queueDeclarePassive(name);
    }
  }

  private void arrived(Envelope envelope, BasicProperties properties, byte[] body) {
    Map<String, Object> headers = Wire.headers(properties);
    if (cancelled || headers.containsKey(Wire.REPEATED)) {
      return; // at most once: the first one may have arrived
    }
    if (Wire.number(headers, Wire.EXPIRES, Long.MAX_VALUE) <= System.currentTimeMillis()) {
      sink.dropped(1);
      return;
    }
    String address = route instanceof Route.Topic ? envelope.getRoutingKey() : route.name();
    buffer.offer(new LiveDelivery(Wire.from(properties, body), address));
  }

  @Override
  public void request(int deliveries) {
    buffer.request(deliveries);
  }

  @Override
  public CompletionStage<Void> ready() {
    return CompletableFuture.completedFuture(null); // the broker has answered in subscribe
  }

  @Override
  public void lost(Session session) {}

  @Override
  public boolean lost(Session session, Channel closed) {
    synchronized (subscribing) {
      boolean isHere = on == session && channel == closed;
      on = isHere ? null : on;
      return isHere;
    }
  }

  @Override
  public void failed(MessagingException cause) {
    if (!cancelled) {
      sink.failed(cause);
    }
  }

  @Override
  public void cancel() {
    cancelled = true;
    buffer.cancel();
  }

  @Override
  public void close() {
    cancel();
    link.sources().forget(this);
    synchronized (subscribing) {
      Channel open = channel;
      if (open != null) {
        link.abort(open);
      }
    }
  }
}
