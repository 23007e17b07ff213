package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.GetResponse;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
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
  private static final long DOUBT = TimeUnit.SECONDS.toNanos(30);

  private static final CompletableFuture<?> NOTHING_MOVED = CompletableFuture.completedFuture(null);

  private final int prefetch;
  private @Nullable Consumption consumption; // these are guarded by the lock of subscribing
  private List<FetchingConsumer> consumers = List.of();

  /** Done when all that was moved to the suspects since the last one of them is acknowledged. */
  private final AtomicReference<CompletableFuture<?>> moves = new AtomicReference<>(NOTHING_MOVED);

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
    Consumption started = new Consumption(session, open(session), open(session));
    consumption = started;
    bind(started.jobs());
    started.suspects().basicQos(1);
    started.jobs().basicQos(prefetch);
    resume();
  }

  @Override
  void resume() throws IOException {
    Consumption now = consumption;
    if (now != null) {
      FetchingConsumer jobs = jobsOf(now);
      consumers = List.of(suspectsOf(now, jobs), jobs);
      for (FetchingConsumer each : consumers) {
        each.consume();
      }
    }
  }

  private FetchingConsumer jobsOf(Consumption of) {
    return new FetchingConsumer(of.jobs(), this, link.entities().jobs(queue)) {
      @Override
      public void handleDelivery(
          String consumer, Envelope envelope, BasicProperties properties, byte[] body) {
        int again = Job.deliveries(properties);
        Job job = job(of.session(), of.jobs(), envelope, properties, body, Math.min(1, again));
        if (job.refuse()) {
          return;
        }
        if (again > 0) {
          CompletableFuture<?> moved = job.moveToSuspects().toCompletableFuture();
          moves.updateAndGet(others -> CompletableFuture.allOf(others, moved));
        } else {
          arrived(job);
        }
      }
    };
  }

  private FetchingConsumer suspectsOf(Consumption of, FetchingConsumer jobs) {
    return new FetchingConsumer(of.suspects(), this, link.entities().suspects(queue)) {
      @Override
      public void handleDelivery(
          String consumer, Envelope envelope, BasicProperties properties, byte[] body) {
        int again = Job.deliveries(properties);
        Job job = job(of.session(), of.suspects(), envelope, properties, body, again);
        if (!job.refuse()) {
          suspectArrived(job, jobs);
        }
      }
    };
  }

  private Job job(
      Session session,
      Channel channel,
      Envelope envelope,
      BasicProperties properties,
      byte[] body,
      int lost) {
    inFlight.incrementAndGet();
    return new Job(this, session, channel, envelope, properties, body, lost);
  }

  /**
   * Hands a suspect on when the broker has no more originals of jobs that were moved: it may be one
   * of these, and kill this process at once. With its original it would be there twice.
   */
  private void suspectArrived(Job job, FetchingConsumer originals) {
    CompletableFuture<?> moved = moves.getAndSet(NOTHING_MOVED);
    if (moved == NOTHING_MOVED) {
      arrived(job);
      return;
    }
    moved.whenCompleteAsync(
        (done, error) -> {
          if (use(job.session(), originals::roundTrip)) {
            arrived(job);
          } else {
            job.forget();
          }
        },
        link::askOrRun);
  }

  @Override
  void roundTrip() throws IOException {
    for (FetchingConsumer each : consumers) {
      each.roundTrip();
    }
  }

  @Override
  void suspend() throws IOException {
    for (FetchingConsumer each : consumers) {
      each.cancel();
      each.roundTrip();
    }
    Consumption now = consumption;
    if (now != null && now.jobs().isOpen()) {
      fetchReturned(now);
    }
  }

  /**
   * Fetches what was on its way here: having no consumer for it any more, the broker has put it in
   * front of all other jobs, and counted that. It goes back uncounted with what else was fetched.
   * One with a count that is there for another reason would have been handed out here before, if
   * there was room. Only if another worker dies between the cancel and this, the loss of what that
   * one held can go uncounted: it looks the same.
   */
  private void fetchReturned(Consumption from) throws IOException {
    int again = 1;
    while (again > 0 && inFlight.get() < prefetch) {
      GetResponse got = from.jobs().basicGet(link.entities().jobs(queue), false);
      if (got == null) {
        return;
      }
      again = Job.deliveries(got.getProps());
      arrived(
          job(from.session(), from.jobs(), got.getEnvelope(), got.getProps(), got.getBody(), 0));
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
    return link.copies().publish(job, to, copy);
  }
}
