package dev.mullion.messaging.kafka;

import static java.util.stream.Collectors.joining;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.testing.LossSuite;
import java.time.Duration;
import java.util.List;
import java.util.Random;

/** Three nodes, of which one at a time is killed; work goes on without it. */
class ClusterProof extends LossSuite {
  private static final int WITHOUT_ONE = 1_000;

  private final Random random = new Random();
  private List<KafkaNode> nodes = List.of();

  ClusterProof() {
    super(Replicated.class, 10, Duration.ofSeconds(60));
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

  /** The engine of all nodes, with three replicas. */
  public static final class Replicated extends LossProof.Connected {
    /** Connects later. */
    public Replicated(String servers) {
      super(servers);
    }

    @Override
    public Engine engine() {
      return builder().replicationFactor(3).build();
    }
  }
}
