package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Envelope;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A worker's subscription to a queue or group. It fetches as many jobs as the subscription may
 * hold.
 *
 * <p>A job that the broker hands out again was fetched by a worker that died. Only one of those it
 * had fetched can have killed it, so all go to the queue of suspects, of which a worker fetches one
 * at a time: from then on a loss is that job's own. On the way there a job is not begun, so however
 * often the broker has handed it out, it was lost once.
 */
final class WorkerSource extends JobSource {
  private static final Duration PATIENCE = Duration.ofMillis(200);
  private static final String TAG = "worker";
  private static final long DOUBT = TimeUnit.SECONDS.toNanos(30);

  private final int prefetch;
  private @Nullable Consumption consumption; // these are guarded by the lock of subscribing
  private List<FetchingConsumer> consumers = List.of();

  WorkerSource(RabbitMqLink link, Route.Queue queue, ConsumerSettings settings, Sink sink) {
    super(link, queue, sink, PATIENCE);
    this.prefetch = Math.max(1, settings.maxInFlight());
  }

  /**
   * Also consumes again, if a broker of several nodes hands out nothing for a while: when the queue
   * gets another leader, RabbitMQ can lose what was on its way here, and then waits for its
   * settlement.
   */
  @Override
  public void look() {
    super.look();
    if (link.hasSeveralNodes() && inFlight.get() == 0 && waitsLongerThan(DOUBT)) {
      startAgain();
    }
  }

  /** The channels of one session. */
  private record Consumption(Session session, Channel jobs, Channel suspects) {}

  @Override
  void start(Session session) throws IOException {
    Consumption started = new Consumption(session, session.newChannel(), session.newChannel());
    consumption = started;
    session.endWith(started.jobs());
    session.endWith(started.suspects());
    started.suspects().basicQos(1);
    started.jobs().basicQos(prefetch);
    resume();
  }

  @Override
  void resume() throws IOException {
    Consumption now = consumption;
    if (now != null) {
      consumers = List.of(
          consumer(now.session(), now.suspects(), link.entities().suspects(queue), true),
          consumer(now.session(), now.jobs(), link.entities().jobs(queue), false));
      for (FetchingConsumer each : consumers) {
        each.consume(TAG);
      }
    }
  }

  private FetchingConsumer consumer(
      Session session, Channel channel, String from, boolean suspects) {
    return new FetchingConsumer(channel, this, from) {
      @Override
      public void handleDelivery(
          String consumer, Envelope envelope, BasicProperties properties, byte[] body) {
        job(session, channel, envelope, properties, body, suspects);
      }

      @Override
      void settle() throws IOException {
        getChannel().queueDeclarePassive(from);
      }
    };
  }

  private void job(
      Session session,
      Channel channel,
      Envelope envelope,
      BasicProperties properties,
      byte[] body,
      boolean suspects) {
    int again = (int) Wire.number(Wire.headers(properties), "x-delivery-count", 0);
    int lost = suspects ? again : Math.min(1, again);
    Job job = new Job(this, session, channel, envelope, properties, body, lost);
    inFlight.incrementAndGet();
    if (job.refuse()) {
      return;
    }
    if (!suspects && again > 0) {
      job.moveToSuspects();
    } else {
      arrived(job);
    }
  }

  @Override
  void roundTrip() throws IOException {
    for (FetchingConsumer each : consumers) {
      each.settle();
    }
  }

  @Override
  void suspend() throws IOException {
    for (FetchingConsumer each : consumers) {
      each.cancel();
    }
  }

  @Override
  void closeChannels() {
    Consumption now = consumption;
    if (now != null) {
      link.abort(now.jobs());
      link.abort(now.suspects());
    }
  }

  @Override
  public CompletableFuture<@Nullable Void> redeliver(Job job, Duration delay, Wire.Outgoing copy) {
    long millis = Wire.millis(delay);
    if (millis == 0) {
      return publish(job, link.entities().jobs(queue), copy);
    }
    copy.properties.expiration(null);
    return link.delays().publish(job, millis, copy);
  }

  @Override
  public CompletableFuture<@Nullable Void> giveBack(Job job, Wire.Outgoing copy) {
    boolean isSuspect = job.losses() > 0;
    return publish(
        job, isSuspect ? link.entities().suspects(queue) : link.entities().jobs(queue), copy);
  }

  @Override
  public CompletableFuture<@Nullable Void> suspect(Job job, Wire.Outgoing copy) {
    return publish(job, link.entities().suspects(queue), copy);
  }

  private CompletableFuture<@Nullable Void> publish(Job job, String to, Wire.Outgoing copy) {
    return link.publisher().publish(Publication.copy(to, copy, job.session()));
  }
}
