package dev.mullion.messaging.rabbitmq;

import static java.util.stream.Collectors.joining;

import java.time.Duration;
import java.util.List;
import java.util.Random;

/** Three nodes, of which one at a time is killed; work goes on without it. */
class ClusterProof extends BrokerLossSuite {
  private static final int NODES = 3;
  private static final int WITHOUT_ONE = 1_000;

  private final Random random = new Random();
  private List<Broker> nodes = List.of();

  /** RabbitMQ looks again after three minutes for what was on its way out of a delay queue. */
  ClusterProof() {
    super(Duration.ofMinutes(4));
  }

  @Override
  protected String startServer() throws Exception {
    nodes = Broker.cluster(NODES);
    return nodes.stream().map(Broker::address).collect(joining(","));
  }

  @Override
  protected void restartServer() throws Exception {
    int killed = random.nextInt(NODES);
    for (Broker each : nodes) {
      each.awaitQueuesWritten();
    }
    new Replicas(nodes.get(0)).awaitInSync();
    nodes.get(killed).kill();
    long begin = System.nanoTime();
    awaitMorePushes(WITHOUT_ONE);
    awaitMoreCalls(WITHOUT_ONE);
    System.out.println(WITHOUT_ONE + " pushes acknowledged, and jobs called, without node " + killed
        + " within " + (System.nanoTime() - begin) / 1_000_000 + " ms");
    nodes.get(killed).startNode();
  }

  @Override
  protected void endServer() {
    nodes.forEach(Broker::close);
  }
}
