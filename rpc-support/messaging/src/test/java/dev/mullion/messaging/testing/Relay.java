package dev.mullion.messaging.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Passes bytes between clients and a server, until a test cuts or holds them. */
public final class Relay implements AutoCloseable {
  private final ServerSocket listening;
  private final List<Socket> open = new CopyOnWriteArrayList<>();
  private volatile int target;
  private volatile boolean refusing;
  private boolean held;

  /** Listens on a free port. */
  public Relay() throws IOException {
    listening = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    start(this::accept);
  }

  /** Returns the port that clients connect to. */
  public int port() {
    return listening.getLocalPort();
  }

  /** Sets the port of the server that the next connections are passed on to. */
  public void to(int port) {
    target = port;
  }

  /** Closes all connections; the next ones are passed on, unless they are refused. */
  public void cut() {
    for (Socket each : open) {
      close(each);
    }
    open.clear();
  }

  /** Closes new connections at once, or goes on. */
  public void refuse(boolean refuse) {
    refusing = refuse;
  }

  /** Passes nothing on, or goes on. */
  public synchronized void hold(boolean hold) {
    held = hold;
    notifyAll();
  }

  private synchronized void awaitTurn() throws InterruptedException {
    while (held) {
      wait();
    }
  }

  private void accept() {
    while (!listening.isClosed()) {
      try {
        connect(listening.accept());
      } catch (IOException over) {
        // The relay is closed.
      }
    }
  }

  private void connect(Socket client) throws IOException {
    Socket server = null;
    try {
      if (!refusing) {
        server = new Socket(InetAddress.getLoopbackAddress(), target);
      }
    } catch (IOException away) {
      // Its client sees a closed connection, too.
    }
    if (server == null) {
      close(client);
      return;
    }
    client.setTcpNoDelay(true);
    server.setTcpNoDelay(true);
    open.add(client);
    open.add(server);
    Socket opened = server;
    start(() -> pass(client, opened));
    start(() -> pass(opened, client));
  }

  private void pass(Socket from, Socket to) {
    byte[] buffer = new byte[64 * 1024];
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        awaitTurn();
        out.write(buffer, 0, read);
      }
    } catch (IOException | InterruptedException over) {
      // Cut.
    } finally {
      close(from);
      close(to);
    }
  }

  private static void close(Socket socket) {
    try {
      socket.setSoLinger(true, 0);
      socket.close();
    } catch (IOException closed) {
      // The other direction was first.
    }
  }

  private static void start(Runnable work) {
    Thread thread = new Thread(work, "relay");
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void close() throws IOException {
    listening.close();
    hold(false);
    cut();
  }
}
