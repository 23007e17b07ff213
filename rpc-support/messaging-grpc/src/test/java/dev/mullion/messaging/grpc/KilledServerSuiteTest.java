package dev.mullion.messaging.grpc;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.FailureSuite;
import dev.mullion.messaging.tck.Profile;
import dev.mullion.rpc.RpcChannel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.io.TempDir;

/** The cases of the suite in which the engine dies: here the server is a process, and is killed. */
class KilledServerSuiteTest extends FailureSuite {
  @TempDir
  static Path directory;

  private static @Nullable ServerProcess server;

  @Override
  protected EngineUnderTest startEngine() throws Exception {
    if (server == null) {
      server = new ServerProcess(directory);
    }
    return new Killed(server);
  }

  @AfterAll
  static void end() throws Exception {
    if (server != null) {
      server.kill();
      server = null;
    }
  }

  /** A client of the process; all cases of this class share that. */
  private static final class Killed implements EngineUnderTest.Killable {
    private final ServerProcess server;
    private final RpcChannel channel;
    private final GrpcEngine engine;

    Killed(ServerProcess server) throws IOException {
      this.server = server;
      server.start();
      channel = RpcChannel.builder()
          .address("127.0.0.1", server.port())
          .closeTimeout(Duration.ofMillis(200))
          .build();
      engine = GrpcEngine.builder(channel).maxBackoff(Duration.ofMillis(200)).build();
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
    public void stop() throws InterruptedException {
      server.stop();
    }

    @Override
    public void kill() throws InterruptedException {
      server.kill();
    }

    @Override
    public void start() throws IOException {
      server.start();
    }

    @Override
    public boolean clientsSurvive() {
      return true;
    }

    @Override
    public void close() {
      channel.close();
    }
  }
}
