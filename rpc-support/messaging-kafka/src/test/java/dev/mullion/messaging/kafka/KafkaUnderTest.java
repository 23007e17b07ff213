package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.Profile;
import dev.mullion.messaging.tck.RemoteEngine;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** One of two nodes: all cases share the first, but those that restart or cut their node. */
final class KafkaUnderTest
    implements EngineUnderTest.Killable, EngineUnderTest.Cuttable, EngineUnderTest.MultiProcess {
  private static final Shared STEADY = new Shared();
  private static final Shared DISTURBED = new Shared();
  private static final AtomicInteger PREFIXES = new AtomicInteger();

  private final KafkaNode node;
  private final String address;
  private final KafkaEngine engine;

  private KafkaUnderTest(KafkaNode node) {
    this.node = node;
    // Of one's own, since queues() tells of all with the same prefix.
    this.address = node.servers() + '/' + PREFIXES.incrementAndGet() + '.';
    this.engine = Open.at(address);
  }

  static KafkaUnderTest get() throws Exception {
    return new KafkaUnderTest(node());
  }

  static KafkaUnderTest disturbed() throws Exception {
    return new KafkaUnderTest(disturbedNode());
  }

  static KafkaNode node() throws Exception {
    return STEADY.node();
  }

  /** Returns the node that may be restarted, by those who have said so with their lock. */
  static KafkaNode disturbedNode() throws Exception {
    return DISTURBED.node();
  }

  /** A node that is started with its first case. */
  private static final class Shared {
    private @Nullable KafkaNode node;

    synchronized KafkaNode node() throws Exception {
      KafkaNode now = node;
      if (now == null) {
        now = KafkaNode.start(Map.of());
        node = now;
      }
      return now;
    }
  }

  @Override
  public Engine engine() {
    return engine;
  }

  @Override
  public Profile profile() {
    return Profile.defaults()
        .withLoad(0.05)
        .withQuiet(Duration.ofMillis(100))
        .withNewTopic(Duration.ofSeconds(5))
        .withDelaySlack(Duration.ofSeconds(3));
  }

  @Override
  public void stop() throws Exception {
    node.stop();
  }

  @Override
  public void kill() throws Exception {
    node.kill();
  }

  @Override
  public void start() throws Exception {
    node.start();
  }

  @Override
  public boolean clientsSurvive() {
    return true;
  }

  @Override
  public void cut() {
    node.relay().refuse(true);
    node.relay().cut();
  }

  @Override
  public void restore() {
    node.relay().refuse(false);
  }

  @Override
  public Class<? extends RemoteEngine> remote() {
    return Open.class;
  }

  @Override
  public String address() {
    return address;
  }

  @Override
  public boolean exclusive() {
    return false;
  }

  @Override
  public void close() {}

  /** Opens the engine, here and in other processes. */
  public static final class Open implements RemoteEngine {
    /** Creates it. */
    public Open() {}

    static KafkaEngine engine(String servers) {
      return builder(servers).build();
    }

    private static KafkaEngine.Builder builder(String servers) {
      return KafkaEngine.builder(servers)
          .healthInterval(Duration.ofMillis(200))
          .deliveryTimeout(Duration.ofSeconds(5))
          .lockDuration(Duration.ofSeconds(10));
    }

    private static KafkaEngine at(String address) {
      int slash = address.indexOf('/');
      return builder(address.substring(0, slash))
          .prefix(address.substring(slash + 1))
          .build();
    }

    @Override
    public Engine open(String address) {
      return at(address);
    }
  }
}
