package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Envelope;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A replier: takes its turn at the queue of a subject, which goes with the last replier. One that
 * is paused keeps what it has fetched: without a consumer the queue would go.
 */
final class ReplierSource extends FetchingSource {
  private static final Duration PATIENCE = Duration.ofDays(365);

  private final Route.Subject subject;
  private final int prefetch;
  private @Nullable Session session; // these are guarded by the lock of subscribing
  private @Nullable Channel channel;
  private @Nullable FetchingConsumer consumer;

  ReplierSource(RabbitMqLink link, Route.Subject subject, ConsumerSettings settings, Sink sink) {
    super(link, sink, PATIENCE);
    this.subject = subject;
    this.prefetch = Math.max(1, settings.maxInFlight());
  }

  @Override
  void start(Session on) throws IOException {
    Channel opened = open(on);
    session = on;
    channel = opened;
    opened.basicQos(prefetch);
    resume();
  }

  @Override
  void resume() throws IOException {
    Channel open = channel;
    Session of = session;
    if (open == null || of == null) {
      return;
    }
    String queue = link.entities().subject(subject.name());
    LiveSource.declareShared(open, queue, link.creates());
    FetchingConsumer started = new FetchingConsumer(open, this, queue) {
      @Override
      public void handleDelivery(
          String consumer, Envelope envelope, BasicProperties properties, byte[] body) {
        AskedRequest request =
            new AskedRequest(link, of, open, envelope, subject.name(), properties, body);
        if (envelope.isRedeliver()) {
          request.lost();
        } else {
          arrived(request);
        }
      }
    };
    consumer = started;
    started.consume();
  }

  @Override
  void roundTrip() throws IOException {
    FetchingConsumer now = consumer;
    if (now != null) {
      now.roundTrip();
    }
  }

  @Override
  void suspend() throws IOException {
    FetchingConsumer now = consumer;
    if (now != null) {
      now.cancel();
    }
  }
}
