package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Envelope;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A worker's subscription to an ordered queue. The broker has one active consumer, which it hands
 * one job at a time, so a failure and its delay hold back the whole queue. Nothing is copied, since
 * a copy would come behind later jobs: a job that failed stays here during its delay and is then
 * rejected, and the broker counts. So what is given back is counted too.
 */
final class OrderedSource extends JobSource {
  private static final Duration PATIENCE = Duration.ofMillis(500);

  private @Nullable Session session; // these are guarded by the lock of subscribing
  private @Nullable Channel channel;
  private @Nullable FetchingConsumer consumer;

  /** The job whose delay is under way; guarded by this. */
  private @Nullable Delayed delayed;

  OrderedSource(RabbitMqLink link, Route.Queue queue, Sink sink) {
    super(link, queue, sink, PATIENCE);
  }

  private record Delayed(CompletableFuture<@Nullable Void> over, Future<?> timer) {}

  @Override
  void start(Session on) throws IOException {
    Channel opened = open(on);
    session = on;
    channel = opened;
    bind(opened);
    opened.basicQos(1);
    consume(on, opened);
  }

  @Override
  void resume() throws IOException {
    Session of = session;
    if (of != null) {
      start(of);
    }
  }

  private void consume(Session of, Channel open) throws IOException {
    String from = link.entities().jobs(queue);
    FetchingConsumer started = new FetchingConsumer(open, this, from) {
      @Override
      public void handleDelivery(
          String consumer, Envelope envelope, BasicProperties properties, byte[] body) {
        Job job = new Job(
            OrderedSource.this, of, open, envelope, properties, body, Job.deliveries(properties));
        inFlight.incrementAndGet();
        if (!job.refuse()) {
          arrived(job);
        }
      }
    };
    consumer = started;
    started.consume();
  }

  /** It holds one job at a time, so that its order does not depend on what is on its way. */
  @Override
  void roundTrip() {}

  /**
   * Ends the consumer. With a job that is being handled it is only cancelled, so that this one can
   * be settled. Otherwise the channel is closed, which puts what it holds back in its place.
   */
  @Override
  void suspend() throws IOException {
    Channel open = channel;
    if (open == null || !open.isOpen()) {
      return;
    }
    FetchingConsumer now = consumer;
    if (isHandling() && now != null) {
      now.cancel();
      ended();
    } else {
      closeChannels();
    }
  }

  private boolean isHandling() {
    synchronized (this) {
      return delayed == null && inFlight.get() > waitingCount();
    }
  }

  @Override
  void ended() {
    Delayed over;
    synchronized (this) {
      over = delayed;
      delayed = null;
    }
    if (over != null) {
      over.timer().cancel(false);
      over.over().completeExceptionally(new IOException("its worker was stopped in its delay"));
    }
  }

  @Override
  public CompletableFuture<@Nullable Void> redeliver(Job job, Duration delay, Wire.Outgoing copy) {
    CompletableFuture<@Nullable Void> over = new CompletableFuture<>();
    long millis = Wire.millis(delay);
    if (millis == 0 || isCancelled()) {
      over.completeExceptionally(new IOException("rejected"));
      return over;
    }
    Runnable end = () -> over.completeExceptionally(new IOException("its delay has passed"));
    Future<?> timer = link.after(end, millis, TimeUnit.MILLISECONDS);
    synchronized (this) {
      delayed = new Delayed(over, timer);
    }
    over.whenComplete((none, error) -> {
      synchronized (this) {
        delayed = null;
      }
    });
    return over;
  }

  @Override
  public CompletableFuture<@Nullable Void> giveBack(Job job, Wire.Outgoing copy) {
    return CompletableFuture.failedFuture(new IOException("an ordered job keeps its place"));
  }

  @Override
  public CompletableFuture<@Nullable Void> suspect(Job job, Wire.Outgoing copy) {
    return giveBack(job, copy);
  }
}
