package dev.mullion.examples.springboot;

import dev.mullion.framing.tcp.ConnectionHandler;
import dev.mullion.framing.tcp.FramedServer;
import dev.mullion.framing.tcp.MicrometerMetrics;
import dev.mullion.rpc.MicrometerObserver;
import dev.mullion.rpc.RpcServer;
import dev.mullion.rpc.RpcServerBuilder;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.BindableService;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.IOException;
import java.util.List;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/**
 * A framed and a gRPC server as beans. When Spring stops, it closes them before the beans that they
 * use. Their close() waits for open calls and unsent replies, up to closeTimeout.
 */
@Configuration(proxyBeanMethods = false)
class Servers {
  @Bean
  ConnectionHandler echo() {
    return connection -> {
      for (byte[] frame : connection) {
        connection.send(frame);
      }
    };
  }

  @Bean
  BindableService greeter() {
    return new GreeterService();
  }

  @Bean
  FramedServer framedServer(
      @Value("${framed.host}") String host,
      @Value("${framed.port}") int port,
      ConnectionHandler handler,
      MeterRegistry registry)
      throws IOException {
    return FramedServer.builder()
        .host(host)
        .port(port)
        .handler(handler)
        .observe(MicrometerMetrics.of(registry))
        .start();
  }

  @Bean
  RpcServer rpcServer(
      @Value("${rpc.host}") String host,
      @Value("${rpc.port}") int port,
      List<BindableService> services,
      MeterRegistry registry)
      throws IOException {
    RpcServerBuilder builder = RpcServer.builder().host(host).port(port);
    services.forEach(builder::addService);
    return builder.observe(MicrometerObserver.of(registry)).start();
  }
}
