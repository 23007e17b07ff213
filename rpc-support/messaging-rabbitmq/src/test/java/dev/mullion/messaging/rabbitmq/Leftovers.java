package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.testing.UnheardEvents;
import java.time.Duration;
import java.util.concurrent.ForkJoinPool;

/** Deletes what a test has left on a shared broker, so that the broker stays small. */
final class Leftovers {
  private Leftovers() {}

  static void delete(RabbitMqEngine engine) throws Exception {
    RabbitMqLink link = (RabbitMqLink) engine.open(new EngineContext(
        new UnheardEvents(), ForkJoinPool.commonPool(), 1, Duration.ofSeconds(5)));
    try {
      link.admin().now("cleaning", (session, channel) -> {
        Entities names = engine.entities();
        for (Route.Queue queue : link.declarations().all(30_000)) {
          channel.queueDelete(names.jobs(queue));
          channel.queueDelete(names.suspects(queue));
          channel.queueDelete(names.deadLetters(queue));
          for (Route.Queue each : link.declarations().history(queue.id())) {
            for (long millis : QueueTopology.delays(each.redelivery())) {
              channel.queueDelete(names.delayed(queue, millis));
            }
          }
        }
        channel.exchangeDelete(names.topics());
        return true;
      });
    } finally {
      link.close(Duration.ZERO);
    }
    deleteStream(engine);
  }

  private static void deleteStream(RabbitMqEngine engine) throws Exception {
    try (var connection = Plain.connect(engine.addresses().get(0).getPort());
        Channel channel = connection.createChannel()) {
      channel.queueDelete(engine.entities().declarations());
    }
  }
}
