/** English. */
import type { Texts } from "./texts.ts";

export const english: Texts = {
  language: "en",
  dir: "ltr",
  ownName: "English",
  units: { mega: "MB", giga: "GB" },
  frame: {
    skip: "Skip to the content",
    pages: "Pages",
    language: "Language",
    home: "Start",
    info: "This relay",
    privacy: "Privacy",
    security: "Security",
    docs: "Help",
    deploy: "Run your own",
    share: "Share a contact",
    software: "Runs on madmail, free software under the AGPL.",
  },
  home: {
    title: "Private chats in one tap",
    lead: "No phone number, no email address, no name. Tap the button and start writing to your people.",
    button: "Create my account",
    busy: "One moment …",
    scan: "Or scan this code with the app on your phone.",
    qrLabel: "QR code for a new account on this relay",
    copyLink: "Copy the link",
    copied: "Copied",
    notOpened:
      "Did nothing open? Then the app is not on this device yet. Get it below, and tap the button again.",
    steps: [
      { title: "Get the app", text: "Install Delta Chat or another chatmail app. It is free." },
      {
        title: "Create your account",
        text: "One tap on the button above. The app asks only what to call you.",
      },
      {
        title: "Invite your people",
        text: "Show them your QR code or send them your invite link. That is all.",
      },
    ],
    getApp: "Get the app",
    getAppLead: "Delta Chat runs on phones and computers.",
    otherSystems: "All other systems",
    promises: [
      {
        title: "Only encrypted",
        text: "Every message is end-to-end encrypted. Anything else is refused at the door.",
      },
      { title: "Nothing asked", text: "An account is a random address. It is tied to nothing about you." },
      { title: "Nothing logged", text: "This relay keeps no record of who writes to whom." },
    ],
    sizeFact: (size) => `One message may be up to ${size}, with everything attached.`,
    quotaFact: (size) => `Up to ${size} wait here for you until your devices have fetched them.`,
    retentionFact: (days) => `What nobody fetches is deleted after ${days}.`,
    factsTitle: "Good to know",
    moreFacts: "More about this relay",
  },
  token: {
    title: "Got an invitation?",
    lead: "This relay gives accounts to invited people. Enter the token you were given.",
    label: "Invitation token",
    button: "Continue",
  },
  invited: "You are invited. Your account is one tap away.",
  closed: {
    title: "Registration is closed",
    lead: "This relay gives out no new accounts at the moment. If you already have one, everything works as always.",
  },
  account: {
    title: "Your account is ready",
    lead: "Open it in the app on this device, or scan the code with the app on another one.",
    button: "Open in the app",
    scan: "Scan this with the app on your phone.",
    qrLabel: "QR code of your new account",
    copyLink: "Copy the login link",
    copy: "Copy",
    details: "Address and password, for other mail programs",
    address: "Address",
    password: "Password",
    keep: "This page is shown once. Whoever has the link or the code has the account, so share it with nobody.",
    certificate:
      "This relay made its own certificate, so the link tells the app to accept it. Your messages are end-to-end encrypted either way.",
  },
  proxy: {
    title: "Blocked where you are?",
    lead: "If your network does not let you reach this relay, add its proxy in the app: open the link there, or scan the code. It leads to this relay and nowhere else.",
    button: "Use the proxy",
    qrLabel: "QR code of the proxy to this relay",
  },
  info: {
    title: "About this relay",
    lead: "A chatmail relay passes encrypted messages on. It is a post office that can't open letters and forgets them once they are delivered.",
    domain: "Domain",
    registration: "New accounts",
    registrationState: {
      open: "Open to everybody",
      tokenRequired: "With an invitation",
      closed: "Closed at the moment",
    },
    messageSize: "Largest message",
    quota: "Room for each account",
    unlimited: "Unlimited",
    retention: "Messages stay",
    untilFetched: "Until your devices have fetched them",
    days: (days) => `${days} at most`,
    encryption: "Encryption",
    encryptionOnly: "End-to-end, required for every message",
    certificate: "Certificate",
    trusted: "Publicly trusted",
    ownCertificate: "The relay's own",
    serversTitle: "Servers",
    serversLead: "Chatmail apps find all this by themselves. Other mail programs may ask for it.",
  },
  servers: {
    service: "Service",
    host: "Server",
    port: "Port",
    security: "Security",
    incoming: "Incoming (IMAP)",
    outgoing: "Outgoing (SMTP)",
    user: "The user name is the full address.",
  },
  privacy: {
    title: "Privacy",
    lead: "The short version: we don't know who you are, we can't read what you write, and we don't write down whom you talk to.",
    sections: [
      {
        title: "What this relay keeps",
        text: ["For each account, and nothing beyond it:"],
        list: [
          "its random address and a scrambled form (hash) of its password;",
          "the days on which it was made, first used and last used, never the time;",
          "the invitation it was made with, where this relay asks for one;",
          "encrypted messages, until your devices have fetched and deleted them;",
          "if you switch on notifications, an encrypted token of your device that lets the app be woken up.",
        ],
      },
      {
        title: "What it never learns",
        text: [
          "Your name, your picture, your contacts, your groups and the text of your messages travel inside the encryption. They exist on your devices and on those of the people you write to.",
        ],
      },
      {
        title: "What it has to see",
        text: [
          "To deliver a message, a server has to know the two addresses, the size and the moment. This relay uses them for the delivery and then lets go of them. It counts messages, not people.",
          "Your IP address is in memory while you are connected, to keep off floods of requests. It is not stored.",
        ],
      },
      {
        title: "This website",
        text: [
          "No cookies, no statistics, no fonts or scripts from elsewhere. Your browser talks to this relay and to nobody else.",
        ],
      },
      {
        title: "Leaving",
        text: [
          "Delete the account in the app: that removes it from your device. Messages left on the relay go away by themselves, and you can ask the operator to delete the account at once.",
        ],
      },
    ],
  },
  security: {
    title: "Security",
    lead: "The relay does its part. A few habits on your side make the whole thing strong.",
    sections: [
      {
        title: "What the relay does",
        text: [],
        list: [
          "It takes end-to-end encrypted messages only, checked down to the packets inside.",
          "It speaks TLS 1.2 or newer with your app and with other relays.",
          "It binds each message to the account that sent it, so that nobody writes in your name.",
          "It keeps passwords as hashes and slows down those who guess.",
        ],
      },
      {
        title: "What you can do",
        text: [],
        list: [
          "Verify the people who matter: scan each other's QR code when you meet. From then on nobody can slip in between.",
          "Lock your phone with a code, and keep the system and the app up to date.",
          "Make a backup in the app. There is no way to reset a password: nobody here knows who you are.",
          "Use disappearing messages for what should not stay.",
          "Don't open your account on a device that is not yours.",
        ],
      },
      {
        title: "If a phone is lost",
        text: [
          "Whoever unlocks it can read what is on it. Tell your contacts in person or from another account, and start a new account. If you had a second device, it keeps working.",
        ],
      },
      {
        title: "What encryption does not hide",
        text: [
          "Somebody who watches your network can see that you are connected to this relay, though not what you write or to whom. If that is a danger to you, use the app with a proxy or Tor.",
        ],
      },
    ],
    report: "Found a weakness in this relay? Please tell us:",
  },
  docs: {
    title: "Help",
    lead: "From the first tap to a chat with your family, in a few minutes.",
    sections: [
      {
        title: "Start",
        text: [
          "Install the app, then tap “Create my account” on the start page. The app opens and asks for a name and, if you like, a picture. Both are seen by your contacts only.",
          "If you read this on a computer and want the account on your phone, scan the code on the screen with the app on your phone.",
        ],
      },
      {
        title: "Write to somebody",
        text: [
          "In the app, open your QR code and let the other person scan it, or send them your invite link by any other way. You are connected and verified in the same moment.",
          "They may be on this relay or on any other one: relays pass messages on to each other.",
        ],
      },
      {
        title: "A second device",
        text: [
          "In the settings choose “Add second device” and scan the code with the new device. Both stay in step from then on.",
        ],
      },
      {
        title: "When the network blocks things",
        text: [
          "Apps try several ways to this relay, among them port 443, which looks like ordinary web traffic. If even that is closed, the start page may offer a proxy that you add to the app with one tap.",
        ],
      },
    ],
    otherTitle: "Other mail programs",
    other: [
      "Any program that speaks IMAP and SMTP can use an account of this relay, provided that it encrypts with OpenPGP. Plain mail is refused on the way out.",
      "Most programs find the settings by themselves once you enter the address. If not, here they are:",
    ],
    plainAccount: "Create an account and show me its password",
  },
  deploy: {
    title: "Run your own relay",
    lead: "More relays make everyone safer. You need a small server and an afternoon; a domain helps but is not required.",
    sections: [
      {
        title: "What you need",
        text: [],
        list: [
          "A Linux server with 512 MB of memory; a small virtual one serves a town.",
          "A public IP address, with ports 25, 80, 443, 465, 587 and 993 reachable.",
          "If you have one, a domain whose records you can edit.",
        ],
      },
    ],
    downloadTitle: "Take the program from here",
    downloadLead:
      "madmail is one executable file, and this relay hands out the very one it runs on (for Linux, same kind of processor). On your server:",
    downloadLink: "Download madmail",
  },
  share: {
    title: "Share a contact",
    lead: "Turn a long invite link into a short address that is easy to say, print and remember.",
    link: "Invite link",
    linkHint: "In the app: your QR code → copy. It begins with https://i.delta.chat/#",
    name: "Name to show (optional)",
    slug: "Short name (optional)",
    slugHint: "Letters and digits, at least three. Left empty, we make one up.",
    button: "Make the short address",
    doneTitle: "Here is your address",
    doneLead: "Everybody who opens it can write to this contact.",
    open: "Write in the app",
    openLead: "wants to chat with you. Open the invitation in the app, or scan the code.",
    qrLabel: "QR code of the invitation",
    verify:
      "Anybody can make such a page under any name. Make sure that it is really them, best by asking in person.",
    refusals: {
      badLink: "This is no invite link. It has to begin with https://i.delta.chat/#",
      badName: "The name is too long",
      badSlug: "A short name has 3 to 32 letters a to z or digits",
      reserved: "This short name is reserved",
      taken: "This short name is taken",
      tooMany: "Too many requests from your network, please wait a little",
      badRequest: "The request can't be understood",
    },
  },
  back: "Back to the start page",
  notFound: { title: "There is nothing here", lead: "The address may be mistyped, or the page is gone." },
  method: { title: "That does not work here", lead: "This address can't be used in that way." },
  fault: { title: "Something went wrong here", lead: "Please try again in a moment." },
  refusedTitle: "No account this time",
  refusals: {
    closed: "Registration is closed",
    tokenRequired: "Registration token is required",
    tokenUnknown: "Invalid registration token: registration token not found",
    tokenExpired: "Invalid registration token: registration token has expired",
    tokenUsedUp: "Invalid registration token: registration token has been fully used",
    unavailable: "No account can be made right now, please try again later",
    tooMany: "Too many accounts from your network, please wait a little",
    badRequest: "The request can't be understood",
    tooBig: "The request is too large",
    methodNotAllowed: "Use POST to create an account",
  },
};
