package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.testing.LossEngine;
import dev.mullion.messaging.testing.LossSuite;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A Kafka node in a process of its own, and workers in others, are killed. */
class LossProof extends LossSuite {
  private @Nullable KafkaNode node;

  LossProof() {
    super(Connected.class, 10, Duration.ofSeconds(60));
  }

  @Override
  protected String startServer() throws Exception {
    KafkaNode started = KafkaNode.start(Map.of());
    node = started;
    return started.servers();
  }

  @Override
  protected void restartServer() throws Exception {
    if (node != null) {
      node.kill();
      node.start();
    }
  }

  @Override
  protected void endServer() {
    if (node != null) {
      node.close();
    }
  }

  /** The engine of the nodes' addresses, with commas. */
  public static class Connected implements LossEngine {
    private final String servers;

    /** Connects later. */
    public Connected(String servers) {
      this.servers = servers;
    }

    final KafkaEngine.Builder builder() {
      return KafkaEngine.builder(servers)
          .healthInterval(Duration.ofMillis(500))
          .deliveryTimeout(Duration.ofSeconds(60));
    }

    @Override
    public Engine engine() {
      return builder().build();
    }
  }
}
