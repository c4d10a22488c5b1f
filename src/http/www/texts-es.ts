/** Spanish. */
import type { Texts } from "./texts.ts";

export const spanish: Texts = {
  language: "es",
  dir: "ltr",
  ownName: "Español",
  units: { mega: "MB", giga: "GB" },
  frame: {
    skip: "Ir al contenido",
    pages: "Páginas",
    language: "Idioma",
    home: "Inicio",
    info: "Este servidor",
    privacy: "Privacidad",
    security: "Seguridad",
    docs: "Ayuda",
    deploy: "Monta el tuyo",
    share: "Compartir un contacto",
    software: "Funciona con madmail, software libre bajo la AGPL.",
  },
  home: {
    title: "Chats privados con un toque",
    lead: "Sin número de teléfono, sin correo, sin nombre. Pulsa el botón y empieza a escribir a los tuyos.",
    button: "Crear mi cuenta",
    busy: "Un momento…",
    scan: "O escanea este código con la app del teléfono.",
    qrLabel: "Código QR para una cuenta nueva en este servidor",
    copyLink: "Copiar el enlace",
    copied: "Copiado",
    notOpened:
      "¿No se ha abierto nada? Entonces la app aún no está en este dispositivo. Instálala desde aquí abajo y vuelve a pulsar el botón.",
    steps: [
      { title: "Instala la app", text: "Delta Chat u otra app de chatmail. Es gratis." },
      {
        title: "Crea tu cuenta",
        text: "Un toque en el botón de arriba. La app solo pregunta cómo te llamas.",
      },
      {
        title: "Invita a los tuyos",
        text: "Enséñales tu código QR o mándales tu enlace de invitación. Eso es todo.",
      },
    ],
    getApp: "Consigue la app",
    getAppLead: "Delta Chat funciona en teléfonos y ordenadores.",
    otherSystems: "Otros sistemas",
    promises: [
      {
        title: "Solo cifrado",
        text: "Cada mensaje va cifrado de extremo a extremo. Todo lo demás se rechaza en la puerta.",
      },
      { title: "Sin preguntas", text: "Una cuenta es una dirección al azar. No está ligada a nada tuyo." },
      { title: "Sin registros", text: "Este servidor no apunta quién escribe a quién." },
    ],
    sizeFact: (size) => `Un mensaje puede ocupar hasta ${size}, con todo lo adjunto.`,
    quotaFact: (size) => `Hasta ${size} te esperan aquí mientras tus dispositivos los recogen.`,
    retentionFact: (days) => `Lo que nadie recoge se borra al cabo de ${days}.`,
    factsTitle: "Conviene saber",
    moreFacts: "Más sobre este servidor",
  },
  token: {
    title: "¿Tienes una invitación?",
    lead: "Este servidor da cuentas a personas invitadas. Escribe el código que te han dado.",
    label: "Código de invitación",
    button: "Continuar",
  },
  invited: "Tienes una invitación. Tu cuenta está a un toque.",
  closed: {
    title: "El registro está cerrado",
    lead: "Por ahora este servidor no da cuentas nuevas. Si ya tienes una, todo sigue funcionando igual.",
  },
  account: {
    title: "Tu cuenta está lista",
    lead: "Ábrela en la app de este dispositivo o escanea el código con la app de otro.",
    button: "Abrir en la app",
    scan: "Escanéalo con la app del teléfono.",
    qrLabel: "Código QR de tu cuenta nueva",
    copyLink: "Copiar el enlace de acceso",
    copy: "Copiar",
    details: "Dirección y contraseña, para otros programas de correo",
    address: "Dirección",
    password: "Contraseña",
    keep: "Esta página se muestra una sola vez. Quien tiene el enlace o el código tiene la cuenta: no los compartas con nadie.",
    certificate:
      "Este servidor ha creado su propio certificado, así que el enlace le dice a la app que lo acepte. Tus mensajes van cifrados de extremo a extremo en cualquier caso.",
  },
  proxy: {
    title: "¿Bloqueado donde estás?",
    lead: "Si tu red no te deja llegar a este servidor, añade su proxy en la app: abre allí el enlace o escanea el código. Lleva a este servidor y a ningún otro sitio.",
    button: "Usar el proxy",
    qrLabel: "Código QR del proxy de este servidor",
  },
  info: {
    title: "Sobre este servidor",
    lead: "Un servidor chatmail reparte mensajes cifrados. Es una oficina de correos que no puede abrir las cartas y las olvida en cuanto las entrega.",
    domain: "Dominio",
    registration: "Cuentas nuevas",
    registrationState: {
      open: "Abiertas a todo el mundo",
      tokenRequired: "Con invitación",
      closed: "Cerradas por ahora",
    },
    messageSize: "Mensaje más grande",
    quota: "Espacio por cuenta",
    unlimited: "Sin límite",
    retention: "Los mensajes se guardan",
    untilFetched: "Hasta que tus dispositivos los recogen",
    days: (days) => `${days} como máximo`,
    encryption: "Cifrado",
    encryptionOnly: "De extremo a extremo, obligatorio en cada mensaje",
    certificate: "Certificado",
    trusted: "Reconocido públicamente",
    ownCertificate: "Propio del servidor",
    serversTitle: "Servidores",
    serversLead: "Las apps de chatmail encuentran todo esto solas. Otros programas de correo pueden pedirlo.",
  },
  servers: {
    service: "Servicio",
    host: "Servidor",
    port: "Puerto",
    security: "Seguridad",
    incoming: "Entrante (IMAP)",
    outgoing: "Saliente (SMTP)",
    user: "El nombre de usuario es la dirección completa.",
  },
  privacy: {
    title: "Privacidad",
    lead: "En breve: no sabemos quién eres, no podemos leer lo que escribes y no apuntamos con quién hablas.",
    sections: [
      {
        title: "Qué guarda este servidor",
        text: ["De cada cuenta, y nada más:"],
        list: [
          "su dirección al azar y un resumen (hash) de su contraseña;",
          "los días en que se creó, se usó por primera vez y se usó por última, nunca la hora;",
          "la invitación con la que se creó, si el servidor las pide;",
          "los mensajes cifrados, hasta que tus dispositivos los recogen y los borran;",
          "si activas las notificaciones, una ficha cifrada de tu dispositivo que permite despertar la app.",
        ],
      },
      {
        title: "Qué no llega a saber nunca",
        text: [
          "Tu nombre, tu foto, tus contactos, tus grupos y el texto de tus mensajes viajan dentro del cifrado. Existen en tus dispositivos y en los de las personas a las que escribes.",
        ],
      },
      {
        title: "Qué tiene que ver",
        text: [
          "Para entregar un mensaje hay que conocer las dos direcciones, el tamaño y el momento. Este servidor los usa para la entrega y luego los suelta. Cuenta mensajes, no personas.",
          "Tu dirección IP está en memoria mientras estás en conexión, para frenar avalanchas de peticiones. No se guarda.",
        ],
      },
      {
        title: "Esta web",
        text: [
          "Sin cookies, sin estadísticas, sin tipos de letra ni scripts de otros sitios. Tu navegador habla con este servidor y con nadie más.",
        ],
      },
      {
        title: "Si quieres irte",
        text: [
          "Borra la cuenta en la app: así desaparece de tu dispositivo. Los mensajes que queden en el servidor se van solos, y puedes pedir a quien lo administra que borre la cuenta enseguida.",
        ],
      },
    ],
  },
  security: {
    title: "Seguridad",
    lead: "El servidor pone su parte. Unas pocas costumbres por la tuya hacen fuerte el conjunto.",
    sections: [
      {
        title: "Qué hace el servidor",
        text: [],
        list: [
          "Solo acepta mensajes cifrados de extremo a extremo, comprobados hasta los paquetes que llevan dentro.",
          "Habla TLS 1.2 o más nuevo con tu app y con otros servidores.",
          "Ata cada mensaje a la cuenta que lo envía, para que nadie escriba en tu nombre.",
          "Guarda las contraseñas como hashes y frena a quien intenta adivinarlas.",
        ],
      },
      {
        title: "Qué puedes hacer tú",
        text: [],
        list: [
          "Verifica a quienes te importan: al veros, escanead los códigos QR. Desde entonces nadie puede meterse en medio.",
          "Bloquea el teléfono con un código y mantén al día el sistema y la app.",
          "Haz una copia de seguridad en la app. No hay forma de recuperar una contraseña: aquí nadie sabe quién eres.",
          "Usa mensajes que desaparecen para lo que no deba quedar.",
          "No abras tu cuenta en un dispositivo que no sea tuyo.",
        ],
      },
      {
        title: "Si pierdes el teléfono",
        text: [
          "Quien lo desbloquee puede leer lo que hay en él. Avisa a tus contactos en persona o desde otra cuenta y crea una nueva. Si tenías un segundo dispositivo, sigue funcionando.",
        ],
      },
      {
        title: "Qué no oculta el cifrado",
        text: [
          "Quien vigile tu red puede ver que te conectas a este servidor, pero no qué escribes ni a quién. Si eso es un peligro para ti, usa la app con un proxy o con Tor.",
        ],
      },
    ],
    report: "¿Has encontrado un fallo en este servidor? Cuéntanoslo:",
  },
  docs: {
    title: "Ayuda",
    lead: "Del primer toque a un chat con tu familia, en unos minutos.",
    sections: [
      {
        title: "Empezar",
        text: [
          "Instala la app y pulsa «Crear mi cuenta» en la página de inicio. La app se abre y pide un nombre y, si quieres, una foto. Solo los ven tus contactos.",
          "Si lees esto en un ordenador y quieres la cuenta en el teléfono, escanea el código de la pantalla con la app del teléfono.",
        ],
      },
      {
        title: "Escribir a alguien",
        text: [
          "Abre tu código QR en la app y deja que la otra persona lo escanee, o mándale tu enlace de invitación por cualquier otro medio. En ese momento quedáis en contacto y verificados.",
          "Puede estar en este servidor o en cualquier otro: los servidores se pasan los mensajes.",
        ],
      },
      {
        title: "Un segundo dispositivo",
        text: [
          "En los ajustes elige «Añadir segundo dispositivo» y escanea el código con el nuevo. Desde entonces los dos van a la par.",
        ],
      },
      {
        title: "Cuando la red bloquea cosas",
        text: [
          "Las apps prueban varios caminos hasta aquí, entre ellos el puerto 443, que parece tráfico web normal. Si incluso ese está cerrado, la página de inicio puede ofrecer un proxy que se añade a la app con un toque.",
        ],
      },
    ],
    otherTitle: "Otros programas de correo",
    other: [
      "Cualquier programa que hable IMAP y SMTP puede usar una cuenta de este servidor, siempre que cifre con OpenPGP. El correo sin cifrar se rechaza al salir.",
      "La mayoría encuentra los ajustes al escribir la dirección. Si no, aquí están:",
    ],
    plainAccount: "Crear una cuenta y mostrarme su contraseña",
  },
  deploy: {
    title: "Monta tu propio servidor",
    lead: "Cuantos más servidores, más seguros estamos todos. Hace falta un servidor pequeño y una tarde; un dominio ayuda, pero no es obligatorio.",
    sections: [
      {
        title: "Qué necesitas",
        text: [],
        list: [
          "Un servidor Linux con 512 MB de memoria; uno virtual pequeño basta para un pueblo.",
          "Una dirección IP pública con los puertos 25, 80, 443, 465, 587 y 993 accesibles.",
          "Si lo tienes, un dominio cuyos registros puedas cambiar.",
        ],
      },
    ],
    downloadTitle: "Llévate el programa de aquí",
    downloadLead:
      "madmail es un solo archivo ejecutable, y este servidor reparte el mismo con el que funciona (para Linux y el mismo tipo de procesador). En tu servidor:",
    downloadLink: "Descargar madmail",
  },
  share: {
    title: "Compartir un contacto",
    lead: "Convierte un enlace de invitación largo en una dirección corta, fácil de decir, imprimir y recordar.",
    link: "Enlace de invitación",
    linkHint: "En la app: tu código QR → copiar. Empieza por https://i.delta.chat/#",
    name: "Nombre que se muestra (opcional)",
    slug: "Nombre corto (opcional)",
    slugHint: "Letras y cifras, al menos tres. Si lo dejas vacío, inventamos uno.",
    button: "Crear la dirección corta",
    doneTitle: "Aquí está tu dirección",
    doneLead: "Quien la abra puede escribir a este contacto.",
    open: "Escribir en la app",
    openLead: "quiere chatear contigo. Abre la invitación en la app o escanea el código.",
    qrLabel: "Código QR de la invitación",
    verify:
      "Cualquiera puede hacer una página así con cualquier nombre. Asegúrate de que es quien dice ser, mejor preguntando en persona.",
    refusals: {
      badLink: "Esto no es un enlace de invitación. Tiene que empezar por https://i.delta.chat/#",
      badName: "El nombre es demasiado largo",
      badSlug: "Un nombre corto tiene de 3 a 32 letras de la a a la z o cifras",
      reserved: "Este nombre corto está reservado",
      taken: "Este nombre corto ya está en uso",
      tooMany: "Demasiadas peticiones desde tu red, espera un poco",
      badRequest: "No se entiende la petición",
    },
  },
  back: "Volver al inicio",
  notFound: {
    title: "Aquí no hay nada",
    lead: "Puede que la dirección esté mal escrita o que la página ya no exista.",
  },
  method: { title: "Así no funciona", lead: "Esta dirección no se puede usar de ese modo." },
  fault: { title: "Algo ha fallado aquí", lead: "Inténtalo de nuevo dentro de un momento." },
  refusedTitle: "Esta vez no hay cuenta",
  refusals: {
    closed: "El registro está cerrado.",
    tokenRequired: "Hace falta un código de invitación.",
    tokenUnknown: "Esta invitación no existe.",
    tokenExpired: "Esta invitación ha caducado.",
    tokenUsedUp: "Esta invitación ya se ha usado del todo.",
    unavailable: "Ahora mismo no se puede crear una cuenta, inténtalo más tarde.",
    tooMany: "Demasiadas cuentas desde tu red, espera un poco.",
    badRequest: "No se entiende la petición.",
    tooBig: "La petición es demasiado grande.",
    methodNotAllowed: "Para crear una cuenta hay que usar POST.",
  },
};
