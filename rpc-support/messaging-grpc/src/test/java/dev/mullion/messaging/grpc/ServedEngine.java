package dev.mullion.messaging.grpc;

import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.Profile;
import dev.mullion.messaging.tck.RemoteEngine;
import dev.mullion.messaging.testing.Relay;
import dev.mullion.rpc.RpcChannel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * An embedded engine behind a {@link MessagingServer}, through a {@link GrpcEngine} and a relay
 * that can cut its connections. The server can be stopped and started; an engine in memory stays
 * then, as in a program that restarts only its server, and one in a directory is opened again.
 */
class ServedEngine
    implements EngineUnderTest.Restartable, EngineUnderTest.Cuttable, EngineUnderTest.Blockable {
  private final @Nullable Path directory;
  private final @Nullable EmbeddedBroker memory;
  private final Relay relay;
  private final RpcChannel channel;
  private final GrpcEngine engine;
  private @Nullable MessagingServer server;

  private ServedEngine(@Nullable Path directory, @Nullable EmbeddedBroker memory)
      throws IOException {
    this.directory = directory;
    this.memory = memory;
    this.relay = new Relay();
    start();
    this.channel = RpcChannel.builder()
        .address("127.0.0.1", relay.port())
        .closeTimeout(Duration.ofMillis(200))
        .build();
    this.engine = client(channel);
  }

  static ServedEngine inMemory() throws IOException {
    return new ServedEngine(null, EmbeddedEngine.inMemory().start());
  }

  static ServedEngine durable() throws IOException {
    return new ForProcesses(Files.createTempDirectory("messaging-grpc"));
  }

  private static GrpcEngine client(RpcChannel channel) {
    return GrpcEngine.builder(channel)
        .maxBackoff(Duration.ofMillis(200))
        .awayTimeout(Duration.ofSeconds(3))
        .build();
  }

  final int port() {
    return relay.port();
  }

  @Override
  public Engine engine() {
    return engine;
  }

  @Override
  public Profile profile() {
    return Profile.defaults().withLoad(0.1);
  }

  @Override
  public void start() throws IOException {
    Engine served = memory != null
        ? memory
        : EmbeddedEngine.builder().directory(directory()).build();
    MessagingServer started = MessagingServer.builder(served).start();
    server = started;
    relay.to(started.port());
  }

  private Path directory() {
    if (directory == null) {
      throw new IllegalStateException("in memory");
    }
    return directory;
  }

  @Override
  public void stop() {
    if (server != null) {
      server.stop(Duration.ofMillis(500));
    }
    server = null;
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
  public void block() {
    relay.hold(true);
  }

  @Override
  public void unblock() {
    relay.hold(false);
  }

  @Override
  public void close() throws IOException {
    relay.hold(false);
    channel.close();
    stop();
    relay.close();
    if (memory != null) {
      memory.close();
    }
    if (directory != null) {
      delete(directory);
    }
  }

  private static void delete(Path directory) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.walk(directory)) {
      files = all.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path file : files) {
      Files.delete(file);
    }
  }

  /** One that workers in other processes use too, which the suite kills, and with a store. */
  static final class ForProcesses extends ServedEngine
      implements EngineUnderTest.MultiProcess, EngineUnderTest.Damageable {
    private final Path directory;
    private @Nullable EmbeddedBroker other;

    private ForProcesses(Path directory) throws IOException {
      super(directory, null);
      this.directory = directory;
    }

    /** The tests of the store itself, in the module messaging, have the others. */
    @Override
    public Set<Damage> damages() {
      return Set.of(Damage.IN_USE, Damage.TORN_WRITE);
    }

    @Override
    public void damage(Damage damage) throws IOException {
      Path store = directory.resolve("store.mv");
      switch (damage) {
        case IN_USE ->
          other = EmbeddedEngine.builder().directory(directory).build().start();
        case TORN_WRITE -> {
          byte[] whole = Files.readAllBytes(store);
          Files.write(
              store,
              Arrays.copyOfRange(whole, whole.length - 4096, whole.length - 1596),
              StandardOpenOption.APPEND);
        }
        default -> throw new IllegalArgumentException(damage.name());
      }
    }

    @Override
    public void repair(Damage damage) {
      if (other != null) {
        other.close();
        other = null;
      }
    }

    @Override
    public Class<? extends RemoteEngine> remote() {
      return Connected.class;
    }

    @Override
    public String address() {
      return Integer.toString(port());
    }

    @Override
    public boolean exclusive() {
      return false;
    }
  }

  /** Connects from another process. */
  public static final class Connected implements RemoteEngine {
    /** Creates it. */
    public Connected() {}

    @Override
    public Engine open(String address) {
      return client(
          RpcChannel.builder().address("127.0.0.1", Integer.parseInt(address)).build());
    }
  }
}
