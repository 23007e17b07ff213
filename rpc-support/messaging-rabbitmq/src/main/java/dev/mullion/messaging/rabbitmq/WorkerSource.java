package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Sink;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A worker's subscription to a queue or group. It fetches as many jobs as the subscription may
 * hold, and keeps those for which there is no credit yet.
 *
 * <p>A job that the broker hands out again was fetched by a worker that died. Only one of those it
 * had fetched can have killed it, so all go to the queue of suspects, of which a worker fetches one
 * at a time: from then on a loss is that job's own. On the way there a job is not begun, so however
 * often the broker has handed it out, it was lost once.
 */
final class WorkerSource implements Restored {
  private static final Duration LAST_COPIES = Duration.ofSeconds(2);

  private final RabbitMqLink link;
  private final Route.Queue queue;
  private final ConsumerSettings settings;
  private final Sink sink;
  private final AtomicInteger inFlight = new AtomicInteger();
  private final CompletableFuture<@Nullable Void> cancelDone = new CompletableFuture<>();
  private final Object subscribing = new Object();
  private volatile @Nullable Consumption consumption;
  private volatile boolean cancelled;
  private volatile boolean closed;

  /** These are guarded by this. */
  private final Deque<Job> waiting = new ArrayDeque<>();

  private int credit;

  WorkerSource(RabbitMqLink link, Route.Queue queue, ConsumerSettings settings, Sink sink) {
    this.link = link;
    this.queue = queue;
    this.settings = settings;
    this.sink = sink;
  }

  /** The channels of one session. */
  private record Consumption(Session session, Channel jobs, Channel suspects) {
    static final String TAG = "worker";
  }

  @Override
  public void subscribe(Session session) throws IOException {
    synchronized (subscribing) {
      if (cancelled) {
        return;
      }
      Channel jobs = session.newChannel();
      Channel suspects = session.newChannel();
      consumption = new Consumption(session, jobs, suspects);
      consume(session, suspects, link.entities().suspects(queue), 1, true);
      consume(session, jobs, link.entities().jobs(queue), Math.max(1, settings.maxInFlight()), false);
    }
  }

  private void consume(
      Session session, Channel channel, String from, int prefetch, boolean suspects)
      throws IOException {
    channel.basicQos(prefetch);
    channel.addShutdownListener(cause -> {
      if (!cause.isInitiatedByApplication() && !cause.isHardError()) {
        session.fail(cause); // by the broker: such as its consumer_timeout
      }
    });
    channel.basicConsume(from, false, Consumption.TAG, new DefaultConsumer(channel) {
      @Override
      public void handleDelivery(
          String consumer, Envelope envelope, BasicProperties properties, byte[] body) {
        arrived(session, channel, envelope, properties, body, suspects);
      }

      @Override
      public void handleCancel(String consumer) {
        failed(new MissingAddressException("queue " + from + " was deleted"));
      }
    });
  }

  private void arrived(
      Session session,
      Channel channel,
      Envelope envelope,
      BasicProperties properties,
      byte[] body,
      boolean suspects) {
    int deliveries = (int) Wire.number(Wire.headers(properties), "x-delivery-count", 0);
    Job job = new Job(
        this,
        session,
        channel,
        envelope,
        properties,
        body,
        suspects ? deliveries : Math.min(1, deliveries));
    inFlight.incrementAndGet();
    if (job.isExpired()) {
      job.settle(new Outcome.Bury(DeadLetter.Reason.EXPIRED, "its time to live has passed"));
    } else if (!suspects && deliveries > 0) {
      job.moveToSuspects();
    } else {
      offer(job);
    }
  }

  private void offer(Job job) {
    synchronized (this) {
      if (cancelled || credit == 0) {
        waiting.add(job);
        if (!closed) {
          return;
        }
        waiting.remove(job);
      } else {
        credit--;
      }
    }
    if (closed) {
      job.settle(new Outcome.GiveBack(false));
    } else {
      sink.deliver(job);
    }
  }

  @Override
  public void request(int deliveries) {
    List<Job> now = new ArrayList<>();
    synchronized (this) {
      credit += deliveries;
      while (credit > 0 && !waiting.isEmpty() && !cancelled) {
        credit--;
        now.add(waiting.remove());
      }
    }
    for (Job each : now) {
      if (each.isExpired()) {
        each.settle(new Outcome.Bury(DeadLetter.Reason.EXPIRED, "its time to live has passed"));
        request(1);
      } else {
        sink.deliver(each);
      }
    }
  }

  @Override
  public CompletionStage<Void> ready() {
    return CompletableFuture.completedFuture(null);
  }

  @Override
  public void lost(Session session) {
    synchronized (this) {
      waiting.removeIf(each -> {
        if (each.session != session) {
          return false;
        }
        inFlight.decrementAndGet();
        return true;
      });
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
    synchronized (this) {
      if (cancelled) {
        return;
      }
      cancelled = true;
    }
    link.ask(this::cancelNow);
  }

  /** Tells the broker; then what was fetched and not handed out goes back. */
  private void cancelNow() {
    synchronized (subscribing) {
      Consumption now = consumption;
      if (now != null && !now.session().isOver()) {
        cancel(now.jobs());
        cancel(now.suspects());
      }
    }
    List<CompletableFuture<?>> back = new ArrayList<>();
    for (Job each = next(); each != null; each = next()) {
      back.add(each.settle(new Outcome.GiveBack(false)).toCompletableFuture());
    }
    CompletableFuture.allOf(back.toArray(CompletableFuture[]::new))
        .whenComplete((none, error) -> cancelDone.complete(null));
  }

  private synchronized @Nullable Job next() {
    return waiting.poll();
  }

  private static void cancel(Channel channel) {
    try {
      if (channel.isOpen()) {
        channel.basicCancel(Consumption.TAG);
      }
    } catch (IOException | RuntimeException e) {
      // The session is over, or will be.
    }
  }

  @Override
  public void close() {
    cancel();
    if (!link.forget(this)) {
      return;
    }
    try {
      cancelDone.get(LAST_COPIES.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      // The broker takes the rest back with the channel, and counts it.
    }
    closed = true;
    Consumption now = consumption;
    if (now != null) {
      Session.abort(now.jobs());
      Session.abort(now.suspects());
    }
    for (Job each = next(); each != null; each = next()) {
      inFlight.decrementAndGet();
    }
  }

  boolean isGroup() {
    return queue.source().isPresent();
  }

  /** Returns the address of a message: a group's is its topic. */
  String address(Map<String, Object> headers, Envelope envelope) {
    if (!isGroup()) {
      return queue.name();
    }
    String kept = Wire.text(headers, Wire.ADDRESS, null);
    return kept == null ? envelope.getRoutingKey() : kept;
  }

  Route.Queue queue() {
    return queue;
  }

  @Override
  public int inFlight(Route.Queue of) {
    return of.id().equals(queue.id()) ? inFlight.get() : 0;
  }

  void settled(Job job) {
    inFlight.decrementAndGet();
  }

  Executor settling() {
    return link.settling();
  }

  CompletableFuture<Void> redeliver(Job job, Duration delay, Wire.Outgoing copy) {
    long millis = Wire.millis(delay);
    if (millis == 0) {
      return giveBack(job, copy);
    }
    copy.properties.expiration(null);
    return link.delays().publish(queue, millis, copy, job.session);
  }

  CompletableFuture<Void> giveBack(Job job, Wire.Outgoing copy) {
    return link.publisher()
        .publish(Publication.copy(link.entities().jobs(queue), copy, job.session));
  }

  CompletableFuture<Void> suspect(Job job, Wire.Outgoing copy) {
    return link.publisher()
        .publish(Publication.copy(link.entities().suspects(queue), copy, job.session));
  }

  CompletableFuture<Void> bury(Job job, Wire.Outgoing letter) {
    return link.publisher()
        .publish(Publication.copy(link.entities().deadLetters(queue), letter, job.session));
  }
}
