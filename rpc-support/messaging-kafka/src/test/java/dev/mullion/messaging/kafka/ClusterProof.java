package dev.mullion.messaging.kafka;

import static java.util.stream.Collectors.joining;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.testing.LossEngine;
import java.time.Duration;
import java.util.List;
import java.util.Random;

/** Three nodes, of which one at a time is killed; work goes on without it. */
class ClusterProof extends LossProof {
  private static final int WITHOUT_ONE = 1_000;

  private final Random random = new Random();
  private List<KafkaNode> nodes = List.of();

  ClusterProof() {
    super(Replicated.class);
  }

  @Override
  protected String startServer() throws Exception {
    nodes = KafkaNode.cluster();
    return nodes.stream().map(KafkaNode::servers).collect(joining(","));
  }

  @Override
  protected void restartServer() throws Exception {
    int killed = random.nextInt(nodes.size());
    nodes.get(killed).kill();
    awaitMorePushes(WITHOUT_ONE);
    System.out.println(WITHOUT_ONE + " pushes acknowledged without node " + killed);
    nodes.get(killed).start();
  }

  @Override
  protected void endServer() {
    nodes.forEach(KafkaNode::close);
  }

  /** The engine of all nodes. */
  public static final class Replicated implements LossEngine {
    private final String servers;

    /** Connects later. */
    public Replicated(String servers) {
      this.servers = servers;
    }

    @Override
    public Engine engine() {
      return KafkaEngine.builder(servers)
          .replicationFactor(3)
          .healthInterval(Duration.ofMillis(500))
          .deliveryTimeout(Duration.ofSeconds(60))
          .build();
    }
  }
}
