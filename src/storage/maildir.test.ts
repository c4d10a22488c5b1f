/** The Maildir implementation against the conformance suite. */
import { storeConformance } from "./conformance.test-help.ts";
import { MaildirFixture } from "./maildir.test-help.ts";

for (const fsync of ["always", "optimized", "never"] as const) {
  storeConformance(`MaildirStore with fsync=${fsync}`, async ({ hub, clock }) => {
    const fixture = await MaildirFixture.make();
    let store = await fixture.open({ fsync, hub, clock });
    return {
      store,
      reopen: async () => {
        await store.close();
        store = await fixture.open({ fsync, hub, clock });
        return store;
      },
      dispose: () => fixture.dispose(),
    };
  });
}
