package dev.mullion.examples.readings;

import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.SubscriptionCounters;
import dev.mullion.messaging.grpc.GrpcEngine;
import dev.mullion.messaging.grpc.MessagingServer;
import dev.mullion.rpc.RpcChannel;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeoutException;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Sends readings of a sensor, in one process or in two, or on a broker. */
@Command(
    name = "readings",
    showDefaultValues = true,
    description = "Sends readings of a sensor that waits for nobody.")
public final class ReadingsMain implements Callable<Integer> {
  @Spec
  private CommandSpec spec;

  @ArgGroup
  private final Network network = new Network();

  @Option(names = "--readings", defaultValue = "100000", description = "how many to send")
  private int count;

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  private static final class Network {
    @Option(
        names = "--serve",
        paramLabel = "[HOST:]PORT",
        converter = HostPort.Converter.class,
        description = "receives readings until Ctrl-C; port 0 for any")
    private HostPort serve;

    @Option(
        names = "--connect",
        paramLabel = "HOST:PORT",
        converter = HostPort.Converter.class,
        description = "sends readings to the process that serves there")
    private HostPort connect;

    @ArgGroup(exclusive = false)
    private BrokerOptions broker;
  }

  private ReadingsMain() {}

  public static void main(String[] args) {
    CommandLine program = new CommandLine(new ReadingsMain());
    System.exit(program.setCaseInsensitiveEnumValuesAllowed(true).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    rejectUnused();
    try {
      if (count < 0) {
        throw new IllegalArgumentException("readings: " + count + " (expected: >= 0)");
      }
      if (network.serve != null) {
        serve(network.serve);
      } else if (network.connect != null) {
        connect(network.connect);
      } else if (network.broker != null) {
        onBroker(network.broker);
      } else {
        inOneProcess();
      }
      return 0;
    } catch (IOException | IllegalArgumentException | TimeoutException e) {
      System.err.println("readings: " + e.getMessage());
      return 1;
    }
  }

  /** Rejects a number of readings that nobody here would send. */
  private void rejectUnused() {
    boolean isUsed = network.serve == null && (network.broker == null || network.broker.sends());
    if (!isUsed && spec.commandLine().getParseResult().hasMatchedOption("--readings")) {
      throw new ParameterException(
          spec.commandLine(), "--readings: not with --serve or --only=receiver, which send none");
    }
  }

  private void inOneProcess() throws IOException, InterruptedException, TimeoutException {
    try (EmbeddedBroker broker = EmbeddedEngine.inMemory().start();
        Messaging messaging = Messaging.on(broker)) {
      System.out.printf("nobody receives: sent %,d, dropped %,d%n", 1, Readings.send(messaging, 1));
      Subscription receiver = messaging.receive(Readings.READINGS, new Readings()::take);
      long dropped = Readings.send(messaging, count);
      broker.awaitIdle(Duration.ofSeconds(10));
      SubscriptionCounters there = receiver.counters();
      System.out.printf(
          "sent %,d, received %,d, dropped %,d%n",
          count, there.acknowledged(), dropped + there.dropped());
    }
  }

  private static void serve(HostPort at) throws IOException, InterruptedException {
    try (EmbeddedBroker broker = EmbeddedEngine.inMemory().start();
        Messaging messaging = Messaging.on(broker);
        MessagingServer server = MessagingServer.builder(broker)
            .host(at.host())
            .port(at.port())
            .shutdownHook(true)
            .start()) {
      messaging.receive(Readings.READINGS, new Readings()::take);
      System.out.println("listening on " + at.host() + ":" + server.port());
      server.awaitTermination();
    }
  }

  private void connect(HostPort to) throws IOException {
    try (RpcChannel channel = RpcChannel.builder().address(to.host(), to.port()).build();
        Messaging messaging = Messaging.on(GrpcEngine.on(channel))) {
      System.out.printf(
          "sent %,d, of which %,d were dropped here%n", count, Readings.send(messaging, count));
    }
  }

  private void onBroker(BrokerOptions broker) throws IOException, InterruptedException {
    try (Messaging messaging = broker.start()) {
      Subscription receiver = broker.receives() ? receive(messaging) : null;
      if (broker.sends()) {
        long dropped = Readings.send(messaging, count);
        System.out.printf("sent %,d, of which %,d were dropped here%n", count, dropped);
        if (receiver != null) {
          System.out.printf("received %,d%n", arrived(receiver, count - dropped));
        }
      } else {
        Runtime.getRuntime().addShutdownHook(new Thread(messaging::close));
        new CountDownLatch(1).await();
      }
    }
  }

  private static Subscription receive(Messaging messaging) throws MessagingException {
    Subscription receiver = messaging.receive(Readings.READINGS, new Readings()::take);
    receiver.ready().toCompletableFuture().join();
    return receiver;
  }

  /** Returns how many have arrived when all have, or when none has for two seconds. */
  private static long arrived(Subscription receiver, long sent) throws InterruptedException {
    long before = -1;
    long now = 0;
    while (now > before && now < sent) {
      Thread.sleep(2000);
      before = now;
      now = receiver.counters().acknowledged();
    }
    return now;
  }
}
