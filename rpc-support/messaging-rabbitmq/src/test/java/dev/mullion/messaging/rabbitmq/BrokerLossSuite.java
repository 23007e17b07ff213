package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.testing.LossEngine;
import dev.mullion.messaging.testing.LossSuite;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A broker of its own, and workers in other processes, are killed. */
abstract class BrokerLossSuite extends LossSuite {
  private @Nullable Broker broker;

  BrokerLossSuite(Duration patience) {
    super(Connected.class, 6, patience);
  }

  @Override
  protected String startServer() throws Exception {
    Broker started = Broker.start();
    broker = started;
    return started.address();
  }

  @Override
  protected void restartServer() throws Exception {
    if (broker != null) {
      broker.awaitQueuesWritten();
      broker.kill();
      broker.startNode();
    }
  }

  @Override
  protected void endServer() throws Exception {
    if (broker != null) {
      broker.close();
    }
  }

  /** The broker counts late what is there, so the jobs themselves are looked at. */
  @Override
  protected boolean isOver(Messaging messaging, WorkQueue<String> queue) {
    if (!queue.name().equals(QUEUE.name())) {
      return letters(messaging, queue).size() >= ALWAYS_FAILING;
    }
    Set<String> open = open();
    if (open.stream().filter(job -> !job.startsWith("fail")).count() < 100) {
      letters(messaging, queue).forEach(letter -> open.remove(text(letter)));
    }
    return open.isEmpty();
  }

  /**
   * A kill can leave a job and its copy, and each goes its own way: so a job may have several dead
   * letters, with as many calls as is allowed for each of them. None that is healthy has one.
   */
  @Override
  protected void check(List<DeadLetter> letters) {
    assertThat(letters)
        .allMatch(letter -> text(letter).startsWith("fail"))
        .allMatch(letter -> letter.reason() == DeadLetter.Reason.DELIVERY_LIMIT)
        .allMatch(letter -> letter.deliveryCount() == maxDeliveries());
    Map<String, Long> each =
        letters.stream().collect(Collectors.groupingBy(LossSuite::text, Collectors.counting()));
    each.forEach((job, count) ->
        assertThat((long) failures(job)).as(job).isBetween(1L, count * maxDeliveries()));
  }

  /** The engine of a broker's nodes, with commas. */
  public static final class Connected implements LossEngine {
    private final String addresses;

    /** Connects later. */
    public Connected(String addresses) {
      this.addresses = addresses;
    }

    @Override
    public Engine engine() {
      return RabbitMqEngine.builder()
          .addresses(addresses.split(","))
          .prefix("loss")
          .maxBackoff(Duration.ofMillis(500))
          .connectTimeout(Duration.ofSeconds(20))
          .answerTimeout(Duration.ofSeconds(60))
          .awayTimeout(Duration.ofSeconds(60))
          .build();
    }
  }
}
