package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.Profile;
import dev.mullion.messaging.tck.RemoteEngine;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A node that all cases share; those that restart it do so through this. */
final class KafkaUnderTest
    implements EngineUnderTest.Killable, EngineUnderTest.Cuttable, EngineUnderTest.MultiProcess {
  private static @Nullable KafkaNode shared;

  private final KafkaNode node;
  private final KafkaEngine engine;

  private KafkaUnderTest(KafkaNode node) {
    this.node = node;
    this.engine = Open.engine(node.servers());
  }

  static synchronized KafkaUnderTest get() throws Exception {
    KafkaNode node = shared;
    if (node == null) {
      node = KafkaNode.start(Map.of());
      shared = node;
    }
    return new KafkaUnderTest(node);
  }

  static synchronized KafkaNode node() throws Exception {
    return get().node;
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
    return node.servers();
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
      return KafkaEngine.builder(servers)
          .healthInterval(Duration.ofMillis(200))
          .deliveryTimeout(Duration.ofSeconds(5))
          .lockDuration(Duration.ofSeconds(10))
          .build();
    }

    @Override
    public Engine open(String address) {
      return engine(address);
    }
  }
}
