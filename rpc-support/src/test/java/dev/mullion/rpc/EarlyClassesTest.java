package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.rpc.greeter.GreeterService;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * A class in a folder that is first needed while there are no file descriptors is lost for good, so
 * a server and a channel have all of them when they start.
 */
class EarlyClassesTest {
  private static final String STARTED = "all have started";
  private static final Pattern LOADED = Pattern.compile("(dev\\.mullion\\.\\S+) source: ");

  /** Has a JVM of its own, which logs what it loads. */
  static final class Server {
    private Server() {}

    public static void main(String[] args) throws IOException {
      try (RpcServer server =
          RpcServer.builder().addService(new GreeterService()).start()) {
        System.out.println(STARTED + " with " + server.port());
      }
    }
  }

  /** The same for a channel. */
  static final class Channel {
    private Channel() {}

    public static void main(String[] args) {
      try (RpcChannel channel = RpcChannel.builder().address("127.0.0.1", 1).build()) {
        System.out.println(STARTED + " with " + channel.isTerminated());
      }
    }
  }

  @Test
  void serverHasAllBeforeItsFirstConnection() throws Exception {
    assertThat(loadedBy(Server.class)).containsAll(inFolder());
  }

  @Test
  void channelHasAllBeforeItsFirstConnection() throws Exception {
    assertThat(loadedBy(Channel.class)).containsAll(inFolder());
  }

  private static Set<String> loadedBy(Class<?> main) throws IOException, InterruptedException {
    Process process = ClassPath.java(entry -> true, main, "-Xlog:class+load=info:stdout");
    String log = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertThat(process.waitFor()).as(log).isZero();
    assertThat(log).contains(STARTED);
    Matcher loaded = LOADED.matcher(log.substring(0, log.indexOf(STARTED)));
    return loaded.results().map(each -> each.group(1)).collect(Collectors.toSet());
  }

  private static List<String> inFolder() throws IOException {
    Path folder = Path.of("target/classes");
    try (Stream<Path> files = Files.walk(folder.resolve("dev/mullion"))) {
      List<String> names = files
          .map(file -> folder.relativize(file).toString().replace('/', '.'))
          .filter(name -> name.endsWith(".class") && !name.endsWith("package-info.class"))
          .map(name -> name.substring(0, name.length() - ".class".length()))
          .toList();
      assertThat(names).contains(RpcServer.class.getName());
      return names;
    }
  }
}
