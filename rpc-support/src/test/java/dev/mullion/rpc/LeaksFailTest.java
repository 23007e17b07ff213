package dev.mullion.rpc;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.testkit.engine.EventConditions.event;
import static org.junit.platform.testkit.engine.EventConditions.finishedWithFailure;
import static org.junit.platform.testkit.engine.EventConditions.test;
import static org.junit.platform.testkit.engine.TestExecutionResultConditions.message;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.platform.testkit.engine.EngineTestKit;

/** A leaked buffer fails this module's tests too, though nothing in them asks for it. */
class LeaksFailTest {
  @Test
  void leakingTestFails() {
    EngineTestKit.engine("junit-jupiter")
        .enableImplicitConfigurationParameters(true)
        .configurationParameter("mullion.leaks.looks", "1000")
        .selectors(selectClass(Leaking.class))
        .execute()
        .testEvents()
        .failed()
        .assertThatEvents()
        .hasSize(1)
        .haveExactly(
            1,
            event(
                test("leaks"),
                finishedWithFailure(message(text -> text.contains("leak detected")))));
  }

  static class Leaking {
    private static final List<ByteBuf> leaked = new ArrayList<>();

    @Test
    void leaks() {
      leaked.add(ByteBufAllocator.DEFAULT.buffer(16));
    }
  }
}
