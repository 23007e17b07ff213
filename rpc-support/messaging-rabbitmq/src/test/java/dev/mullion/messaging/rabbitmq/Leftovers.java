package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.AMQP.BasicProperties;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Finds the queues of a prefix by its declarations. */
final class Leftovers {
  private Leftovers() {}

  static List<String> of(Connection connection, String prefix) throws Exception {
    Entities entities = new Entities(prefix);
    Set<String> names = new HashSet<>();
    List<String> all = new ArrayList<>();
    try (Channel channel = connection.createChannel()) {
      int records = channel.queueDeclarePassive(entities.declarations()).getMessageCount();
      CountDownLatch left = new CountDownLatch(records);
      channel.basicQos(100);
      channel.basicConsume(
          entities.declarations(),
          false,
          "",
          false,
          false,
          Map.of("x-stream-offset", "first"),
          new DefaultConsumer(channel) {
            @Override
            public void handleDelivery(
                String tag, Envelope envelope, BasicProperties properties, byte[] body) {
              Route.Queue queue = DeclarationRecord.from(properties).queue();
              synchronized (names) {
                names.add(entities.jobs(queue));
                names.add(entities.suspects(queue));
                names.add(entities.deadLetters(queue));
                QueueTopology.delays(queue.redelivery())
                    .forEach(millis -> names.add(entities.delayed(queue, millis)));
              }
              left.countDown();
              try {
                channel.basicAck(envelope.getDeliveryTag(), false);
              } catch (IOException | RuntimeException e) {
                // Enough was read.
              }
            }
          });
      left.await(10, TimeUnit.SECONDS);
    } catch (IOException e) {
      if (!BrokerErrors.isNotFound(e)) {
        throw e;
      }
      return List.of();
    }
    synchronized (names) {
      all.addAll(names);
    }
    all.add(entities.declarations());
    return all;
  }
}
