package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.testing.JavaProcess;
import dev.mullion.messaging.testing.Relay;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the other tests rely on. */
@Timeout(20)
class RelayTest {
  @Test
  void connectionToAnAbsentServerIsClosed() throws Exception {
    try (Relay relay = new Relay()) {
      relay.to(JavaProcess.freePort());
      try (Socket client = new Socket(InetAddress.getLoopbackAddress(), relay.port())) {
        assertThatThrownBy(() -> readAll(client)).isInstanceOf(IOException.class);
      }
    }
  }

  @Test
  void bytesPassUntilTheyAreCut() throws Exception {
    try (Relay relay = new Relay();
        ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      relay.to(server.getLocalPort());
      try (Socket client = new Socket(InetAddress.getLoopbackAddress(), relay.port());
          Socket accepted = server.accept()) {
        client.getOutputStream().write(7);
        assertThat(accepted.getInputStream().read()).isEqualTo(7);
        accepted.getOutputStream().write(8);
        assertThat(client.getInputStream().read()).isEqualTo(8);

        relay.cut();
        assertThatThrownBy(() -> readAll(client)).isInstanceOf(IOException.class);
      }
    }
  }

  private static void readAll(Socket client) throws IOException {
    if (client.getInputStream().read() < 0) {
      throw new IOException("closed");
    }
  }
}
