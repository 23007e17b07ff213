package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
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
  private final Topic<String> topic = Topic.of(name + ".all", Codecs.utf8());
  private final LinkedBlockingQueue<String> received = new LinkedBlockingQueue<>();

  private static void forget(String group) throws Exception {
    try (Admin admin =
        Admin.create(Map.of("bootstrap.servers", KafkaUnderTest.node().servers()))) {
      admin.deleteConsumerGroups(List.of(group)).all().get(10, TimeUnit.SECONDS);
    }
  }

  private Messaging messaging() throws Exception {
    return Messaging.on(KafkaEngine.on(KafkaUnderTest.node().servers()));
  }

  // The group began at the topic's end, and what was published meanwhile was lost.
  @Test
  void groupLosesNothingThatWasPublishedMeanwhile() throws Exception {
    WorkQueue<String> group = topic.group("group");
    publishBeforeItIsForgotten(group);
    try (Messaging messaging = messaging()) {
      messaging.pull(group, job -> received.add(job.payload()));
      assertThat(received.poll(30, TimeUnit.SECONDS)).isEqualTo("published");
    }
  }

  // The new declaration was taken for the first one.
  @Test
  void groupThatIsDeclaredAnewLosesNothingEither() throws Exception {
    publishBeforeItIsForgotten(topic.group("group"));
    WorkQueue<String> changed =
        topic.groupBuilder("group").redelivery(Redelivery.immediate(7)).build();
    try (Messaging messaging = messaging()) {
      messaging.redeclare(changed);
      messaging.pull(changed, job -> received.add(job.payload()));
      assertThat(received.poll(30, TimeUnit.SECONDS)).isEqualTo("published");
    }
  }

  private void publishBeforeItIsForgotten(WorkQueue<String> group) throws Exception {
    try (Messaging messaging = messaging()) {
      messaging.declare(group);
      messaging.publish(topic, "published").get(10, TimeUnit.SECONDS);
    }
    forget("group-feeder." + name + ".group");
  }
}
