package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.Profile;
import dev.mullion.messaging.tck.RemoteEngine;
import dev.mullion.messaging.testing.Relay;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * RabbitMQ with a prefix for each test, through a relay that can cut its connections. The broker is
 * shared, and restarted where a case asks for it.
 */
final class RabbitMqUnderTest
    implements EngineUnderTest.Killable, EngineUnderTest.Cuttable, EngineUnderTest.MultiProcess {
  private static final AtomicInteger COUNT = new AtomicInteger();
  private static final String RUN = Long.toString(System.nanoTime(), 36);

  private final Broker broker;
  private final Relay relay;
  private final String prefix;
  private final RabbitMqEngine engine;

  RabbitMqUnderTest() throws Exception {
    this.broker = Broker.shared();
    this.relay = new Relay();
    relay.to(broker.port());
    this.prefix = "t" + RUN + "-" + COUNT.incrementAndGet();
    this.engine = engine(relay.port(), prefix);
  }

  static RabbitMqEngine engine(int port, String prefix) {
    return RabbitMqEngine.builder()
        .addresses("127.0.0.1:" + port)
        .prefix(prefix)
        .connectTimeout(Duration.ofSeconds(15))
        .answerTimeout(Duration.ofSeconds(60))
        .maxBackoff(Duration.ofMillis(300))
        .awayTimeout(Duration.ofSeconds(20))
        .build();
  }

  @Override
  public Engine engine() {
    return engine;
  }

  @Override
  public Profile profile() {
    return Profile.defaults()
        .withDeadlines(Duration.ofSeconds(30), Duration.ofSeconds(30))
        .withQuiet(Duration.ofMillis(100))
        .withDelaySlack(Duration.ofSeconds(4))
        .withCapacitySlack(100)
        .withLoad(0.2);
  }

  @Override
  public void skipping(String field, String reason) {
    if (!field.equals("durability") || !reason.contains("Damageable")) {
      System.out.println("skipped: " + field + ": " + reason);
    }
  }

  @Override
  public void stop() throws Exception {
    broker.stop();
  }

  @Override
  public void start() throws Exception {
    broker.startNode();
  }

  @Override
  public void kill() throws Exception {
    broker.awaitQueuesWritten();
    broker.kill();
  }

  @Override
  public boolean clientsSurvive() {
    return true;
  }

  @Override
  public void cut() {
    relay.refuse(true);
    relay.cut();
  }

  @Override
  public void restore() {
    relay.refuse(false);
  }

  @Override
  public Class<? extends RemoteEngine> remote() {
    return Connected.class;
  }

  @Override
  public String address() {
    return relay.port() + " " + prefix;
  }

  @Override
  public boolean exclusive() {
    return false;
  }

  @Override
  public void close() throws Exception {
    relay.close();
    Leftovers.delete(engine(broker.port(), prefix));
  }

  /** Connects from another process. */
  public static final class Connected implements RemoteEngine {
    /** Creates it. */
    public Connected() {}

    @Override
    public Engine open(String address) {
      int space = address.indexOf(' ');
      return engine(Integer.parseInt(address.substring(0, space)), address.substring(space + 1));
    }
  }
}
