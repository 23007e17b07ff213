package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.ClassesWithout;
import dev.mullion.framing.testing.OldNetty;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * With Netty 4.1, which Spring Boot 3 manages, servers and channels ended in NoClassDefFoundError.
 */
class OldNettyTest {
  @TempDir
  private Path jars;

  /** Is loaded again, with an older Netty. */
  public static final class Starting implements Callable<String> {
    private final int which;

    /** Called by reflection. */
    public Starting(int which) {
      this.which = which;
    }

    @Override
    public String call() throws IOException {
      switch (which) {
        case 0 -> RpcServer.builder().addService(new GreeterService()).start().close();
        case 1 -> RpcChannel.builder().address("127.0.0.1", 1).build().close();
        case 2 -> RpcChannel.builder().address("127.0.0.1", 1).connect().close();
        default -> {
          return inProcess();
        }
      }
      return "no failure";
    }

    private static String inProcess() throws IOException {
      try (RpcServer server = RpcServer.builder()
              .inProcessName("old")
              .addService(new GreeterService())
              .start();
          RpcChannel channel = RpcChannel.builder().inProcessName("old").build()) {
        return GreeterClient.of(channel).sayHello(server.isTerminated() ? "" : "x");
      }
    }
  }

  @Test
  void olderVersionIsNamed() throws Exception {
    try (ClassesWithout classes = new ClassesWithout(
        RpcServer.class, entry -> false, entry -> OldNetty.instead(entry, jars))) {
      for (int i = 0; i < 3; i++) {
        Callable<?> starting = starting(classes, i);

        assertThatThrownBy(starting::call)
            .isInstanceOf(IllegalStateException.class)
            .hasMessageStartingWith("netty: netty-buffer 4.1.999.Final, netty-common 4.1.999.Final,"
                + " netty-transport 4.1.999.Final (expected: 4.2, such as ");
      }
      // These need none.
      assertThat(starting(classes, 3).call()).isEqualTo("Hello, x!");
    }
  }

  private static Callable<?> starting(ClassesWithout classes, int which) throws Exception {
    return (Callable<?>)
        classes.load(Starting.class.getName()).getConstructor(int.class).newInstance(which);
  }
}
