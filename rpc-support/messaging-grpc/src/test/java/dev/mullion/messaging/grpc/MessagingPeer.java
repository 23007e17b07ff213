package dev.mullion.messaging.grpc;

import dev.mullion.messaging.EmbeddedEngine;
import java.net.InetSocketAddress;
import java.nio.file.Path;

/**
 * A server in a process of its own, which tests kill and clients in other languages use: {@code
 * MessagingPeer PORT [DIRECTORY]}. It prints its address, and ends by a signal.
 */
final class MessagingPeer {
  private MessagingPeer() {}

  public static void main(String[] args) throws Exception {
    EmbeddedEngine engine = args.length > 1
        ? EmbeddedEngine.builder().directory(Path.of(args[1])).build()
        : EmbeddedEngine.inMemory();
    MessagingServer server = MessagingServer.builder(engine)
        .port(Integer.parseInt(args[0]))
        .shutdownHook(true)
        .start();
    InetSocketAddress address = (InetSocketAddress) server.address();
    System.out.println(
        "listening on " + address.getAddress().getHostAddress() + ":" + address.getPort());
    server.awaitTermination();
  }
}
