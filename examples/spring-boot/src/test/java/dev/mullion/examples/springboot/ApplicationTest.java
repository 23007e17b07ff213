package dev.mullion.examples.springboot;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.tcp.FramedClient;
import dev.mullion.framing.tcp.FramedServer;
import dev.mullion.rpc.RpcChannel;
import dev.mullion.rpc.RpcServer;
import dev.mullion.rpc.greeter.GreeterClient;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.boot.SpringApplication;
import org.springframework.context.ConfigurableApplicationContext;

@Timeout(60)
class ApplicationTest {
  @Test
  void bothServersAnswerAreMeasuredAndStopWithSpring() throws Exception {
    ConfigurableApplicationContext context = SpringApplication.run(
        Application.class, "--framed.port=0", "--rpc.port=0", "--server.port=0");
    try {
      FramedServer framed = context.getBean(FramedServer.class);
      RpcServer rpc = context.getBean(RpcServer.class);
      try (FramedClient client = FramedClient.connect("127.0.0.1", framed.port());
          RpcChannel channel =
              RpcChannel.builder().address("127.0.0.1", rpc.port()).build()) {
        byte[] hello = "hello".getBytes(UTF_8);
        client.connection().send(hello);
        assertThat(client.connection().receive()).isEqualTo(hello);
        assertThat(GreeterClient.of(channel).sayHello("Ada")).isEqualTo("Hello, Ada!");
        String web = context.getEnvironment().getProperty("local.server.port");
        assertThat(get(web, "metrics/mullion.rpc.server.calls")).contains("\"value\":1.0");
        assertThat(get(web, "metrics/mullion.frames.decoded")).contains("\"value\":1.0");

        context.close();

        assertThat(client.connection().receive()).as("a clean end").isNull();
      }
      assertThat(framed.isTerminated()).isTrue();
      assertThat(framed.counters().connectionsCut()).isZero();
      assertThat(rpc.isTerminated()).isTrue();
    } finally {
      context.close();
    }
  }

  private static String get(String port, String endpoint) throws IOException, InterruptedException {
    HttpRequest request = HttpRequest.newBuilder(
            URI.create("http://127.0.0.1:" + port + "/actuator/" + endpoint))
        .build();
    return HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body();
  }
}
