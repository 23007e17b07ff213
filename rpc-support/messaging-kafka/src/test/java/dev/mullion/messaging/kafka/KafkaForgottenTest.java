package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.junit.jupiter.api.Test;

/** The broker forgets the offsets of a group that nobody works for a week. */
class KafkaForgottenTest {
  private final String name = "forgotten-" + UUID.randomUUID();
  private final LinkedBlockingQueue<String> received = new LinkedBlockingQueue<>();

  // The group began at the topic's end, and what was published meanwhile was lost.
  @Test
  void groupLosesNothingThatWasPublishedMeanwhile() throws Exception {
    String servers = KafkaUnderTest.node().servers();
    Topic<String> topic = Topic.of(name + ".all", Codecs.utf8());
    WorkQueue<String> group = topic.group("group");
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers))) {
      messaging.declare(group);
      messaging.publish(topic, "published").get(10, TimeUnit.SECONDS);
    }
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", servers))) {
      admin
          .deleteConsumerGroups(List.of("group-feeder." + name + ".group"))
          .all()
          .get(10, TimeUnit.SECONDS);
    }
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers))) {
      messaging.pull(group, job -> received.add(job.payload()));
      assertThat(received.poll(30, TimeUnit.SECONDS)).isEqualTo("published");
    }
  }
}
