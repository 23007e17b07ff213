package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Health;
import dev.mullion.messaging.engine.EngineContext;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.jspecify.annotations.Nullable;

/**
 * Asks the broker at intervals whether it is there, and tells when that changes. It has a
 * connection of its own: a node takes one question of a client at a time, so behind a slow one it
 * would seem to be away.
 */
final class Watch {
  private static final int LEAST_MILLIS = 1000;

  private final Admin admin;
  private final Settings settings;
  private final EngineContext context;
  private final int patience;
  private volatile @Nullable Throwable lost;
  private volatile long lostAt;
  private volatile boolean asking;
  private volatile boolean closed;

  Watch(Settings settings, EngineContext context) {
    this.admin = settings.admin();
    this.settings = settings;
    this.context = context;
    this.patience = (int) Math.max(LEAST_MILLIS, 2 * settings.healthInterval().toMillis());
  }

  void start(ScheduledExecutorService timer) {
    long millis = settings.healthInterval().toMillis();
    timer.scheduleWithFixedDelay(this::ask, millis, millis, TimeUnit.MILLISECONDS);
  }

  private void ask() {
    if (asking) {
      return;
    }
    asking = true;
    try {
      admin
          .describeCluster(new DescribeClusterOptions().timeoutMs(patience))
          .nodes()
          .whenComplete((nodes, error) -> {
            asking = false;
            answered(error);
          });
    } catch (RuntimeException e) {
      asking = false;
      answered(e);
    }
  }

  private void answered(@Nullable Throwable error) {
    if (closed) {
      return; // it was the close that failed the question
    }
    Throwable before = lost;
    if (error != null && before == null) {
      lostAt = System.nanoTime();
      lost = error;
      context.events().connectionLost(settings.servers(), error);
    } else if (error == null && before != null) {
      Duration outage = Duration.ofNanos(System.nanoTime() - lostAt);
      lost = null;
      context.events().connectionRestored(settings.servers(), outage);
    }
  }

  Health health() {
    Throwable now = lost;
    return now == null
        ? new Health(true, "")
        : new Health(false, "Kafka at " + settings.servers() + " is away: " + now.getMessage());
  }

  void close() {
    closed = true;
    admin.close(Duration.ZERO);
  }
}
