package dev.mullion.net.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.tcp.EchoServer;
import dev.mullion.framing.tcp.FramedClient;
import dev.mullion.framing.tcp.FramedServer;
import dev.mullion.framing.testing.ClassesWithout;
import dev.mullion.framing.testing.OldNetty;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * With Netty 4.1, which Spring Boot 3 manages, servers and clients ended in NoClassDefFoundError.
 */
class NettyVersionTest {
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
        case 0 -> EchoServer.builder().start().close();
        case 1 -> FramedServer.builder().handler(connection -> {}).start().close();
        default -> FramedClient.connect("127.0.0.1", 1).close();
      }
      return "no failure";
    }
  }

  @Test
  void olderVersionIsNamed() throws Exception {
    try (ClassesWithout classes = new ClassesWithout(
        FramedServer.class, entry -> false, entry -> OldNetty.instead(entry, jars))) {
      for (int i = 0; i < 3; i++) {
        Callable<?> starting = (Callable<?>)
            classes.load(Starting.class.getName()).getConstructor(int.class).newInstance(i);

        assertThatThrownBy(starting::call)
            .isInstanceOf(IllegalStateException.class)
            .hasMessage("netty: netty-buffer 4.1.999.Final, netty-common 4.1.999.Final,"
                + " netty-transport 4.1.999.Final (expected: 4.2, such as "
                + NettyVersion.BUILT_WITH
                + "; with Spring Boot's parent set the Maven property netty.version to it,"
                + " otherwise import dev.mullion:mullion-parent as a BOM before all others)");
      }
    }
  }

  @Test
  void versionIsThatOfTheBuild() throws IOException {
    assertThat(Files.readString(Path.of("../pom.xml")))
        .contains("<netty.version>" + NettyVersion.BUILT_WITH + "</netty.version>");
    assertThat(Files.readString(Path.of("../README.md"))).contains(NettyVersion.BUILT_WITH);
  }
}
