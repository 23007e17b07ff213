package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Knows where the copies of jobs go. A stage that fails leaves the original where it is: it is
 * rejected then.
 */
interface JobOwner {
  Route.Queue queue();

  RabbitMqLink link();

  CompletableFuture<@Nullable Void> redeliver(Job job, Duration delay, Wire.Outgoing copy);

  CompletableFuture<@Nullable Void> giveBack(Job job, Wire.Outgoing copy);

  CompletableFuture<@Nullable Void> suspect(Job job, Wire.Outgoing copy);

  /**
   * Returns what acknowledgements have to wait for, or null. What a queue still has on its way when
   * its consumer is cancelled, the broker takes back and counts. So nothing may be on its way then,
   * and it hands out nothing while nothing is acknowledged.
   */
  @Nullable
  CompletableFuture<@Nullable Void> gate();

  /** Forgets a job: it is settled, or its session is over. */
  void settled(Job job);
}
