package dev.mullion.messaging.grpc;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.testing.LossEngine;
import dev.mullion.messaging.testing.LossSuite;
import dev.mullion.rpc.RpcChannel;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;

/** A durable server in a process of its own, and workers in others, are killed. */
class LossProof extends LossSuite {
  private @Nullable ServerProcess server;

  @TempDir
  Path directory;

  LossProof() {
    super(Served.class, 10, Duration.ofSeconds(60));
  }

  @Override
  protected String startServer() throws Exception {
    ServerProcess started = new ServerProcess(directory);
    server = started;
    started.start();
    return "" + started.port();
  }

  @Override
  protected void restartServer() throws Exception {
    if (server != null) {
      server.kill();
      server.start();
    }
  }

  @Override
  protected void endServer() throws Exception {
    if (server != null) {
      server.kill();
    }
  }

  /** The engine of a server's port. */
  public static final class Served implements LossEngine {
    private final RpcChannel channel;

    /** Connects later. */
    public Served(String port) {
      channel =
          RpcChannel.builder().address("127.0.0.1", Integer.parseInt(port)).build();
    }

    @Override
    public Engine engine() {
      return GrpcEngine.builder(channel).maxBackoff(Duration.ofMillis(200)).build();
    }

    @Override
    public void close() {
      channel.close();
    }
  }
}
